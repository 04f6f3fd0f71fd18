/** What every answer of a bulk API must cause, whichever product gives it. */
import type { HttpFault } from "../../src/simulators/http-server.ts";
import { connectorWide, type Reaction } from "../contract/destination.ts";

const STATUSES: Readonly<Record<number, Reaction>> = {
  201: connectorWide("retryable", "HTTP_MALFORMED"),
  301: connectorWide("permanent", "DESTINATION_CONFIG"),
  400: { kind: "permanent", code: "HTTP_REJECTED", scope: "item" },
  401: connectorWide("permanent", "HTTP_DENIED"),
  403: connectorWide("permanent", "HTTP_DENIED"),
  404: connectorWide("permanent", "DESTINATION_CONFIG"),
  405: connectorWide("permanent", "DESTINATION_CONFIG"),
  406: connectorWide("permanent", "DESTINATION_CONFIG"),
  408: connectorWide("retryable", "HTTP_TIMEOUT"),
  413: { kind: "permanent", code: "HTTP_TOO_LARGE", scope: "item" },
  415: connectorWide("permanent", "DESTINATION_CONFIG"),
  417: { kind: "permanent", code: "HTTP_TOO_LARGE", scope: "item" },
  422: { kind: "permanent", code: "HTTP_REJECTED", scope: "item" },
  425: connectorWide("retryable", "HTTP_UNAVAILABLE"),
  429: connectorWide("retryable", "HTTP_THROTTLED"),
  500: connectorWide("retryable", "HTTP_UNAVAILABLE"),
  502: connectorWide("retryable", "HTTP_UNAVAILABLE"),
  503: connectorWide("retryable", "HTTP_UNAVAILABLE"),
  504: connectorWide("retryable", "HTTP_UNAVAILABLE"),
};

/** Request-level error types with their status. */
const REQUESTS: readonly (readonly [status: number, type: string])[] = [
  [400, "parse_exception"],
  [400, "illegal_argument_exception"],
  [400, "x_content_parse_exception"],
  [400, "json_parse_exception"],
  [400, "action_request_validation_exception"],
  [401, "security_exception"],
  [403, "security_exception"],
  [429, "es_rejected_execution_exception"],
  [429, "circuit_breaking_exception"],
];

/** Item status and error type with the reaction to a single such item. */
const ITEMS: readonly (readonly [status: number, type: string, expected: Reaction])[] = [
  [429, "es_rejected_execution_exception", { kind: "retryable", code: "HTTP_THROTTLED" }],
  [429, "circuit_breaking_exception", { kind: "retryable", code: "HTTP_THROTTLED" }],
  [429, "cluster_block_exception", { kind: "retryable", code: "HTTP_THROTTLED", retryAfterMs: 300_000 }],
  [403, "cluster_block_exception", connectorWide("permanent", "DESTINATION_CONFIG")],
  [403, "security_exception", connectorWide("permanent", "HTTP_DENIED")],
  [401, "security_exception", connectorWide("permanent", "HTTP_DENIED")],
  [400, "document_parsing_exception", { kind: "poison", code: "HTTP_REJECTED" }],
  [400, "mapper_parsing_exception", { kind: "poison", code: "HTTP_REJECTED" }],
  [400, "strict_dynamic_mapping_exception", { kind: "poison", code: "HTTP_REJECTED" }],
  [400, "illegal_argument_exception", { kind: "poison", code: "HTTP_REJECTED" }],
  [404, "index_not_found_exception", connectorWide("permanent", "DESTINATION_CONFIG")],
  [400, "invalid_index_name_exception", connectorWide("permanent", "DESTINATION_CONFIG")],
  [503, "unavailable_shards_exception", { kind: "retryable", code: "HTTP_UNAVAILABLE" }],
  [503, "no_shard_available_action_exception", { kind: "retryable", code: "HTTP_UNAVAILABLE" }],
  [500, "exception", { kind: "retryable", code: "HTTP_UNAVAILABLE" }],
  [409, "something_else_exception", { kind: "retryable", code: "HTTP_UNAVAILABLE" }],
  [413, "too_large", { kind: "permanent", code: "HTTP_TOO_LARGE" }],
  [418, "teapot", { kind: "permanent", code: "HTTP_REJECTED" }],
];

/** Every status, error type and item with its reaction; `headers` are those of the product's answers. */
export function bulkReactions(headers: Readonly<Record<string, string>>): readonly { fault: HttpFault; expect: Reaction; title: string }[] {
  const failed = (status: number, type: string): string => JSON.stringify({ error: { root_cause: [], type, reason: "r" }, status });
  const item = (status: number, type: string): string =>
    JSON.stringify({ took: 1, errors: true, items: [{ index: { status, error: { type, reason: "r" } } }] });
  return [
    ...Object.entries(STATUSES).map(([status, expected]) => ({
      title: `status ${status}`,
      fault: { status: Number(status), headers, body: failed(Number(status), "x") },
      expect: expected,
    })),
    ...REQUESTS.map(([status, type]) => ({
      title: `status ${status} ${type}`,
      fault: { status, headers, body: failed(status, type) },
      expect: STATUSES[status]!,
    })),
    ...[413, 502].map((status) => ({ title: `an empty ${status}`, fault: { status }, expect: STATUSES[status]! })),
    ...ITEMS.map(([status, type, expected]) => ({
      title: `an item with ${status} ${type}`,
      fault: { status: 200, headers, body: item(status, type) },
      expect: expected,
    })),
  ];
}

/** Successes that cannot be understood. */
export function bulkMalformed(headers: Readonly<Record<string, string>>): readonly HttpFault[] {
  const bodies = [
    "",
    "OK",
    "null",
    "[]",
    "{}",
    '{"took":1,"errors":false,"items":[{"index":{"sta',
    '{"took":1,"errors":false,"items":[]}',
    '{"took":1,"errors":false,"items":{}}',
    '{"took":1,"errors":false,"items":[{}]}',
    '{"took":1,"errors":false,"items":[null]}',
    '{"took":1,"errors":false,"items":[{"index":{}}]}',
    '{"took":1,"errors":false,"items":[{"index":{"status":"201"}}]}',
    '{"took":1,"errors":false,"items":[{"index":{"_id":"another","status":201}}]}',
    '{"took":1,"errors":false,"items":[{"index":{"status":201},"create":{"status":201}}]}',
    '{"took":1,"errors":false,"items":[{"index":{"status":201}},{"index":{"status":201}}]}',
  ];
  const html = { status: 200, headers: { "content-type": "text/html" }, body: "<html>maintenance</html>" };
  return [...bodies.map((body) => ({ status: 200, headers, body })), html];
}
