/** The one question that the connector may ask the management port: does an index exist. */
import type { SimulatedAnswer, SimulatedRequest } from "./http-server.ts";

/** A Splunk whose management port answers. */
export interface SimulatedManagement {
  /** An authentication token of Splunk, sent as Bearer. */
  readonly token: string;
  /** Indexes that exist and that the token's user may see. */
  readonly indexes: readonly string[];
  /** Of these, those that are disabled. */
  readonly disabled?: readonly string[];
  /** The user may not list indexes. */
  readonly forbidden?: boolean;
}

/** Below this lie the indexes by their names. */
export const INDEX_PATH = "/services/data/indexes/";

/** Answers as splunkd does with `output_mode=json`. */
export function managementAnswer(request: SimulatedRequest, management: SimulatedManagement): SimulatedAnswer {
  if (request.method !== "GET") return failed(405, "Method Not Allowed");
  if (request.headers.authorization !== `Bearer ${management.token}`) return failed(401, "call not properly authenticated");
  if (management.forbidden === true) return failed(403, "insufficient permission to access this resource");
  if (request.query.get("output_mode") !== "json") return { status: 200, body: "<feed></feed>" };
  const name = decodeURIComponent(request.path.slice(INDEX_PATH.length));
  if (!management.indexes.includes(name)) return failed(404, `Could not find object id=${name}`);
  const disabled = management.disabled?.includes(name) ?? false;
  return { status: 200, body: { entry: [{ name, content: { disabled, datatype: "event" } }] } };
}

function failed(status: number, text: string): SimulatedAnswer {
  return { status, body: { messages: [{ type: "ERROR", text }] } };
}
