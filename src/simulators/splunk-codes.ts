/** What the simulated collector answers with: the documented codes, and HTML where the vendor's web server answers. */
import type { SimulatedAnswer } from "./http-server.ts";

/** Every code: HTTP status and text. Texts of 21 to 27 vary between versions. */
export const HEC_CODES: ReadonlyMap<number, readonly [status: number, text: string]> = new Map([
  [0, [200, "Success"]],
  [1, [403, "Token disabled"]],
  [2, [401, "Token is required"]],
  [3, [401, "Invalid authorization"]],
  [4, [403, "Invalid token"]],
  [5, [400, "No data"]],
  [6, [400, "Invalid data format"]],
  [7, [400, "Incorrect index"]],
  [8, [500, "Internal server error"]],
  [9, [503, "Server is busy"]],
  [10, [400, "Data channel is missing"]],
  [11, [400, "Invalid data channel"]],
  [12, [400, "Event field is required"]],
  [13, [400, "Event field cannot be blank"]],
  [14, [400, "ACK is disabled"]],
  [15, [400, "Error in handling indexed fields"]],
  [16, [400, "Query string authorization is not enabled"]],
  [17, [200, "HEC is healthy"]],
  [18, [503, "HEC is unhealthy, queues are full"]],
  [19, [503, "HEC is unhealthy, ack service unavailable"]],
  [20, [503, "HEC is unhealthy, queues are full, ack service unavailable"]],
  [21, [400, "Invalid token"]],
  [22, [400, "Token disabled"]],
  [23, [503, "Server is shutting down"]],
  [24, [200, "Queue approaching capacity"]],
  [25, [200, "ACK channel approaching capacity"]],
  [26, [429, "Queue at capacity"]],
  [27, [429, "ACK channel at capacity"]],
]);

/** The answer of a code, with what else its body has. */
export function codeAnswer(code: number, more: Readonly<Record<string, number | undefined>> = {}): SimulatedAnswer {
  const [status, text] = HEC_CODES.get(code) ?? [500, "unknown code"];
  return { status, body: { text, code, ...more } };
}

/** An error page of the web server in front. */
export function htmlAnswer(status: number, title: string): SimulatedAnswer {
  return {
    status,
    headers: { "content-type": "text/html" },
    body: `<!doctype html><html><head><title>${title}</title></head><body></body></html>`,
  };
}

const NOT_FOUND = { text: "The requested URL was not found on this server.", code: 404 };
/** An unknown path. */
export const UNKNOWN_PATH: SimulatedAnswer = { status: 404, body: NOT_FOUND };
/** A method that the path does not have: 405 with a body that says 404. */
export const WRONG_METHOD: SimulatedAnswer = { status: 405, body: NOT_FOUND };
