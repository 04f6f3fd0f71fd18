/** One call of the Logs Ingestion API: rows of one stream, compressed, with a token that is replaced once when refused. */
import { exchangeWithin } from "../../src/archetypes/deadline.ts";
import { connectorFailure, type Answer } from "../../src/archetypes/http-exchange.ts";
import type { Failure } from "../../src/core/errors.ts";
import type { EpochMs } from "../../src/core/event.ts";
import type { Rendered } from "../../src/ports/connector.ts";
import type { Context } from "../../src/ports/context.ts";
import type { Access } from "./access.ts";
import type { Config } from "./config.ts";
import { errorCode, PEER } from "./responses.ts";

/** The whole answer must be there by then: a server that sends a byte now and then would hold the queue. */
const ANSWER_MS = 30_000;

/** While a role may still be on its way, access is tried this often. */
const DENIED_PROBE_MS = 300_000;

/** An answer and the id by which Microsoft's support finds the request. */
export interface Sent {
  readonly answer: Answer;
  readonly requestId: string;
}

/** Posts a JSON array to a stream; `token` undefined asks without one. @throws {Failure} as `exchange` */
export async function postRows(options: Config, stream: string, token: string | undefined, body: string, context: Context): Promise<Sent> {
  const requestId = uuid(context);
  const answer = await exchangeWithin(
    {
      peer: PEER,
      url: `${options.endpoint}/dataCollectionRules/${options.dcrImmutableId}/streams/${stream}?api-version=2023-01-01`,
      headers: {
        ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
        "Content-Type": "application/json",
        "Content-Encoding": "gzip",
        "x-ms-client-request-id": requestId,
      },
      body: await gzip(body),
    },
    context,
    ANSWER_MS,
  );
  return { answer, requestId };
}

/** Asks `peer` with a token; one that is refused is replaced once, since it may have been revoked before its end. @throws {Failure} */
export async function withToken<T extends { readonly answer: Answer }>(
  peer: string,
  access: Access,
  context: Context,
  ask: (token: string) => Promise<T>,
): Promise<T> {
  const token = await access.token(context);
  const sent = await ask(token);
  if (sent.answer.status !== 401) return sent;
  access.drop(token);
  const renewed = await access.token(context);
  const again = await ask(renewed);
  if (again.answer.status !== 401) return again;
  access.drop(renewed);
  throw connectorFailure("permanent", "HTTP_DENIED", `${peer} refuses a fresh token; check that cloud and endpoint belong together`);
}

/**
 * Tells a role that does not work yet from one that is missing. Both answer 403, and only time tells them apart:
 * while the longest waiting delivery of the batch is younger than the grace, the denial counts as passing. The
 * pipeline keeps trying in both cases; the second one shows as a destination that needs a human.
 */
export function deniedFailure(
  answer: Answer,
  batch: readonly Rendered[],
  graceMs: number,
  now: EpochMs,
  { peer, needs }: { readonly peer: string; readonly needs: string },
): Failure {
  const code = errorCode(answer);
  const said = `${peer} denies access${code === undefined ? "" : ` (${code})`}`;
  const waiting = now - Math.min(...batch.map((one) => Number(one.meta?.["createdTime"] ?? now)));
  if (waiting < graceMs) {
    const wait = Math.min(DENIED_PROBE_MS, graceMs - waiting);
    return connectorFailure("retryable", "HTTP_DENIED", `${said}; a new role takes up to 30 minutes to work`, wait);
  }
  return connectorFailure("permanent", "HTTP_DENIED", `${said}: ${needs}`);
}

/** Both forms of a body count against the limit of a call, so this saves bandwidth alone. */
async function gzip(text: string): Promise<ArrayBuffer> {
  return new Response(new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"))).arrayBuffer();
}

/** Random id; version 4 of RFC 9562. */
function uuid(context: Context): string {
  const digits = Array.from({ length: 32 }, (_, index) => {
    if (index === 12) return "4";
    const digit = Math.floor(context.random() * 16);
    return (index === 16 ? (digit & 3) | 8 : digit).toString(16);
  }).join("");
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-${digits.slice(12, 16)}-${digits.slice(16, 20)}-${digits.slice(20)}`;
}
