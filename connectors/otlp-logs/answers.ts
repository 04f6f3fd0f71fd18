/** What a receiver's answers mean (opentelemetry-proto, docs/specification.md, "OTLP/HTTP Response"). */
import { answerObject, type Answer } from "../../src/archetypes/http-exchange.ts";
import { connectorFailure } from "../../src/archetypes/http-exchange.ts";
import { statusFailure, type Asked } from "../../src/archetypes/http-status.ts";
import { asObject } from "../../src/core/record.ts";
import { Failure } from "../../src/core/errors.ts";

/** The only statuses after which the specification lets a client send again. */
const RETRYABLE: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/** How many records a success refuses, and whether it warns. @throws {Failure} for everything but a success */
export function accepted(answer: Answer, asked: Asked): { readonly rejected: number; readonly warned: boolean } {
  if (answer.status < 200 || answer.status >= 300) throw failureOf(answer, asked);
  if (answer.text.trim() === "") return { rejected: 0, warned: false };
  const body = answerObject(answer);
  if (body === undefined) throw connectorFailure("retryable", "HTTP_MALFORMED", `HTTP ${answer.status} with a body that is not OTLP's`);
  const partial = asObject(body["partialSuccess"]) ?? {};
  // A 64-bit integer: a text in protobuf's JSON, a number with receivers that are lax.
  const rejected = Number(partial["rejectedLogRecords"] ?? 0);
  if (!Number.isInteger(rejected) || rejected < 0)
    throw connectorFailure("retryable", "HTTP_MALFORMED", "the receiver does not say how many log records it refused");
  return { rejected, warned: typeof partial["errorMessage"] === "string" && partial["errorMessage"] !== "" };
}

function failureOf(answer: Answer, asked: Asked): Failure {
  const failure = statusFailure(answer, asked);
  if (failure.kind !== "retryable" || RETRYABLE.has(answer.status)) return failure;
  // It must not be sent again: what a person may still do with it, a dead letter keeps.
  return new Failure(`HTTP ${answer.status}: the receiver failed, in a way that OTLP does not let us repeat`, {
    kind: "permanent",
    code: "HTTP_REJECTED",
  });
}
