/**
 * What the items of a bulk answer mean. A bulk request answers 200 whatever became of its items; they come back
 * in the order in which they were sent ("Bulk index or delete documents").
 */
import type { FailureCode, FailureKind } from "../../core/errors.ts";
import { asObject, type Json } from "../../core/record.ts";
import type { Outcome, Rendered } from "../../ports/connector.ts";
import { connectorFailure } from "../http-exchange.ts";

/** A full disk is not freed in seconds: after a flood-stage block an index is asked again every five minutes. */
const FLOOD_STAGE_RETRY_MS = 300_000;
/** From this many items on, one reason for most refusals is taken for a broken mapping or template, not for broken items. */
const SAME_FAULT_ITEMS_MIN = 10;

/** One item's result, read as far as it is needed. */
interface ItemResult {
  readonly status: number;
  readonly type: string;
  readonly reason: string;
  readonly failureStore: boolean;
}

/** Outcomes with the number of documents that went to the failure store. */
export interface BulkOutcomes {
  readonly outcomes: readonly Outcome[];
  readonly failureStore: number;
}

/**
 * Outcomes of a batch for the body of a 200.
 * @throws {Failure} retryable HTTP_MALFORMED when the answer does not cover the batch; permanent, scope connector,
 * when an item shows that nothing will go through until someone acts
 */
export function itemOutcomes(body: unknown, batch: readonly Rendered[]): BulkOutcomes {
  const items = asObject(body)?.["items"];
  if (!Array.isArray(items) || items.length !== batch.length) throw malformed("the answer does not have one item per document");
  const results = items.map((item: unknown, at) => itemResult(item, batch[at]!));
  for (const result of results) stopFor(result);
  stopForSameFault(results);
  return {
    outcomes: results.map((result, at) => outcomeOf(result, batch[at]!)),
    failureStore: results.filter((result) => result.failureStore).length,
  };
}

function itemResult(item: unknown, sent: Rendered): ItemResult {
  const object = asObject(item);
  const [result, ...more] = object === undefined ? [] : Object.values(object).map((value) => asObject(value));
  const status = result?.["status"];
  if (result === undefined || more.length > 0 || typeof status !== "number") throw malformed("an item of the answer has no status");
  const id = result["_id"];
  // Without an id of ours the server chose one.
  if (typeof id === "string" && sent.meta?.["id"] !== undefined && id !== sent.meta["id"])
    throw malformed("the items of the answer are not in the order of the request");
  const error: Json = asObject(result["error"]) ?? {};
  return {
    status,
    type: typeof error["type"] === "string" ? error["type"] : "",
    reason: typeof error["reason"] === "string" ? error["reason"] : "",
    failureStore: result["failure_store"] === "used",
  };
}

function malformed(message: string): Error {
  return connectorFailure("retryable", "HTTP_MALFORMED", message);
}

/** Item results that say something about the key, the index or the cluster, not about the document. */
function stopFor({ status, type, reason }: ItemResult): void {
  if (type === "cluster_block_exception" && status === 403)
    throw connectorFailure("permanent", "DESTINATION_CONFIG", "the index is blocked for writing (cluster_block_exception)");
  if (status === 401 || status === 403)
    throw connectorFailure("permanent", "HTTP_DENIED", `item status ${status}: the credential may not write to the index`);
  if (status === 404 || type === "index_not_found_exception")
    throw connectorFailure("permanent", "DESTINATION_CONFIG", "the index does not exist and may not be created automatically");
  if (type === "invalid_index_name_exception") throw connectorFailure("permanent", "DESTINATION_CONFIG", "the index name is not valid");
  if (type === "illegal_argument_exception" && reason.includes("op_type of create"))
    throw connectorFailure(
      "permanent",
      "DESTINATION_CONFIG",
      "the index is a data stream, in which no revision can replace another; use a plain index",
    );
}

function stopForSameFault(results: readonly ItemResult[]): void {
  if (results.length < SAME_FAULT_ITEMS_MIN) return;
  const counts = new Map<string, number>();
  for (const { status, type } of results) if (status === 400) counts.set(type, (counts.get(type) ?? 0) + 1);
  for (const [type, count] of counts) {
    if (count * 2 > results.length)
      throw connectorFailure(
        "permanent",
        "DESTINATION_CONFIG",
        `${count} of ${results.length} documents were refused with ${named(type)}: check mapping and template`,
      );
  }
}

function outcomeOf(result: ItemResult, sent: Rendered): Outcome {
  const { status, type } = result;
  const place = `${sent.meta?.["index"]}/${sent.meta?.["id"] ?? "id of the server"}@${sent.meta?.["revision"]}`;
  if (status >= 200 && status < 300) return { status: "delivered", receipt: result.failureStore ? `${place} (failure store)` : place };
  // With an external version a conflict says that this revision or a newer one is there: the goal is reached.
  if (status === 409 && (type === "" || type.includes("version_conflict") || type.includes("already_exists")))
    return { status: "delivered", receipt: `${place} (already there)` };
  const message = `item status ${status}: ${named(type)}${fieldOf(result)}`;
  if (status === 429)
    return failed("retryable", "HTTP_THROTTLED", message, type === "cluster_block_exception" ? FLOOD_STAGE_RETRY_MS : undefined);
  if (status === 408 || status === 409 || status === 425 || status >= 500) return failed("retryable", "HTTP_UNAVAILABLE", message);
  if (status === 400) return failed("poison", "HTTP_REJECTED", message);
  if (status === 413) return failed("permanent", "HTTP_TOO_LARGE", message);
  return failed("permanent", "HTTP_REJECTED", message);
}

function failed(kind: FailureKind, code: FailureCode, message: string, retryAfterMs?: number): Outcome {
  return { status: "failed", kind, code, message, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}

/** Error types are names of the server's classes; anything else is not repeated. */
function named(type: string): string {
  return /^[a-z][a-z0-9_]{0,79}$/.test(type) ? type : "no known error type";
}

/** The field that could not be parsed, which is a name of ours. The rest of a reason quotes the document. */
function fieldOf({ reason }: ItemResult): string {
  const field = /failed to parse field \[([A-Za-z0-9_.@]{1,100})\]/.exec(reason)?.[1];
  return field === undefined ? "" : `, field ${field}`;
}
