/** What the errors of Kafka's protocol mean (kafka.apache.org/protocol#protocol_error_codes), and of the client that tells them. */
import { connectorFailure } from "../../src/archetypes/http-exchange.ts";
import { Failure, type FailureCode } from "../../src/core/errors.ts";

type Verdict = readonly [kind: "retryable" | "permanent" | "item", code: FailureCode, meaning: string];

const VERDICTS: Readonly<Record<string, Verdict>> = {
  TOPIC_AUTHORIZATION_FAILED: ["permanent", "HTTP_DENIED", "the user may not write to the topic"],
  CLUSTER_AUTHORIZATION_FAILED: ["permanent", "HTTP_DENIED", "the user may not produce idempotently"],
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: ["permanent", "HTTP_DENIED", "the user may not produce idempotently"],
  SASL_AUTHENTICATION_FAILED: ["permanent", "HTTP_DENIED", "user or password are wrong"],
  UNSUPPORTED_SASL_MECHANISM: ["permanent", "DESTINATION_CONFIG", "the brokers do not know the SASL mechanism"],
  ILLEGAL_SASL_STATE: ["permanent", "DESTINATION_CONFIG", "the brokers expect another way to log in"],
  // Retriable in the protocol, because topics can be new; ours must exist before, and nobody makes it by waiting.
  UNKNOWN_TOPIC_OR_PARTITION: ["permanent", "DESTINATION_CONFIG", "there is no such topic, or the user may not see it"],
  INVALID_TOPIC_EXCEPTION: ["permanent", "DESTINATION_CONFIG", "this is no topic to write to"],
  UNSUPPORTED_VERSION: ["permanent", "DESTINATION_CONFIG", "the brokers are too old"],
  UNSUPPORTED_FOR_MESSAGE_FORMAT: ["permanent", "DESTINATION_CONFIG", "the topic's message format is too old"],
  UNSUPPORTED_COMPRESSION_TYPE: ["permanent", "DESTINATION_CONFIG", "the brokers do not know the compression"],
  POLICY_VIOLATION: ["permanent", "DESTINATION_CONFIG", "a policy of the brokers forbids it"],
  MESSAGE_TOO_LARGE: ["item", "HTTP_TOO_LARGE", "the batch is larger than the topic's max.message.bytes"],
  RECORD_LIST_TOO_LARGE: ["item", "HTTP_TOO_LARGE", "the batch is larger than a segment of the topic"],
  INVALID_RECORD: ["item", "HTTP_REJECTED", "the broker refuses a record"],
  INVALID_TIMESTAMP: ["item", "HTTP_REJECTED", "the broker refuses a record's time"],
  THROTTLING_QUOTA_EXCEEDED: ["retryable", "HTTP_THROTTLED", "the quota is used up"],
  REQUEST_TIMED_OUT: ["retryable", "HTTP_TIMEOUT", "the brokers did not write it in time"],
};

/** Codes of the protocol that say more than "again later". */
export const PROTOCOL_CODES: ReadonlyMap<string, Verdict> = new Map(Object.entries(VERDICTS));

/** The failure that a code of the protocol is. */
export function protocolFailure(id: string): Failure {
  const name = /^[A-Z_]{1,60}$/.test(id) ? id : "UNKNOWN";
  const [kind, code, meaning] = PROTOCOL_CODES.get(name) ?? ["retryable", "HTTP_UNAVAILABLE", "the brokers cannot write it now"];
  const message = `Kafka ${name}: ${meaning}`;
  return kind === "item" ? new Failure(message, { kind: "permanent", code }) : connectorFailure(kind, code, message);
}

/** Errors of TLS by which a certificate was refused. */
const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_(?:GET|VERIFY)|ALTNAME|UNKNOWN_CA/;
/** How far errors are looked into: the client wraps them a few times. */
const DEPTH_MAX = 8;

/** An error of the client in all its wrappings, flat. */
export function errorsIn(error: unknown, depth = 0): readonly Readonly<Record<string, unknown>>[] {
  if (!(error instanceof Error) || depth > DEPTH_MAX) return [];
  const inner = error instanceof AggregateError ? (error.errors as unknown[]) : [];
  return [error as unknown as Record<string, unknown>, ...[...inner, error.cause].flatMap((one) => errorsIn(one, depth + 1))];
}

/** The gravest of what the client reports, without its texts: they name hosts and may quote answers. */
export function clientFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  const all = errorsIn(error);
  const ids = all.map((one) => one["apiId"]).filter((id) => typeof id === "string");
  const known = ids.find((id) => PROTOCOL_CODES.get(id)?.[0] === "permanent") ?? ids.find((id) => PROTOCOL_CODES.has(id)) ?? ids[0];
  if (known !== undefined) return protocolFailure(known);
  const codes = all.map((one) => one["code"]).filter((code) => typeof code === "string");
  const certificate = codes.find((code) => CERTIFICATE.test(code));
  if (certificate !== undefined) return connectorFailure("permanent", "HTTP_DENIED", "the certificate was refused between us and a broker");
  if (codes.includes("PLT_KFK_AUTHENTICATION")) return protocolFailure("SASL_AUTHENTICATION_FAILED");
  if (codes.includes("PLT_KFK_TIMEOUT")) return connectorFailure("retryable", "HTTP_TIMEOUT", "a broker did not answer in time");
  if (codes.some((code) => code.startsWith("PLT_KFK_UNSUPPORTED")))
    return connectorFailure("permanent", "DESTINATION_CONFIG", "the brokers speak a version of the protocol that the client does not");
  return connectorFailure(
    "retryable",
    "HTTP_UNREACHABLE",
    `no broker could be used (${codes.find((code) => /^[A-Z0-9_]{1,40}$/.test(code)) ?? "no code"})`,
  );
}
