/**
 * What people do with a page, as PagerDuty's V3 webhooks tell it ("Webhooks, Overview", "Behavior" and "Verifying
 * Signatures"). The incident's key there is the dedup_key of the page that opened it, which is our incident's id.
 */
import { Failure, poison } from "../../src/core/errors.ts";
import { parseStrictTime } from "../../src/core/record.ts";
import { safeText } from "../../src/core/safe-text.ts";
import type { AnswerReceiver, IncidentAnswer, PushRequest } from "../../src/ports/connector.ts";
import type { Secret } from "../../src/ports/context.ts";

/** PagerDuty drops webhooks above this size ("Behavior, Size Limit"), so nothing larger is its own. */
const BODY_BYTES_MAX = 256_000;
/** Signatures of one request: one for each secret in use while it is exchanged. */
const SIGNATURES_MAX = 10;
/** Longest incident key ("Send an Alert Event"), and longest name of a person. */
const KEY_MAX = 255;
const NAME_MAX = 100;

/** Event types that say something about our incident; all others are taken and mean nothing. */
const MEANINGS: ReadonlyMap<unknown, IncidentAnswer["to"]> = new Map([
  ["incident.resolved", "close"],
  ["incident.acknowledged", "acknowledge"],
]);

/** Type of the `agent` of an event that a person caused ("Webhooks, Overview", "Webhook Payload"). */
const PERSON = "user_reference";

/** The answers of one webhook subscription; while its secret is exchanged there are two. */
export function webhook(secrets: readonly Secret[]): AnswerReceiver {
  return {
    receive(request, hmacSha256) {
      if (request.body.byteLength > BODY_BYTES_MAX) throw poison("RECORD_TOO_LONG", "the webhook is larger than PagerDuty sends any");
      // Signed is the body as it was sent, so it is checked before anything reads it.
      const expected = secrets.map((secret) => hmacSha256(secret.reveal(), request.body));
      if (!signaturesOf(request).some((given) => expected.some((one) => isSame(given, one))))
        throw new Failure("the signature is missing or wrong", { kind: "permanent", code: "HTTP_DENIED" });
      return answersIn(request.body);
    },
  };
}

function signaturesOf(request: PushRequest): string[] {
  const header = request.headers["x-pagerduty-signature"] ?? "";
  return header
    .split(",", SIGNATURES_MAX)
    .map((part) => part.trim())
    .filter((part) => part.startsWith("v1="))
    .map((part) => part.slice("v1=".length).toLowerCase());
}

/** Takes the same time wherever the first difference lies. */
function isSame(given: string, expected: string): boolean {
  if (given.length !== expected.length) return false;
  let difference = 0;
  for (let index = 0; index < expected.length; index++) difference |= given.charCodeAt(index) ^ expected.charCodeAt(index);
  return difference === 0;
}

function answersIn(body: Uint8Array): readonly IncidentAnswer[] {
  let event: unknown;
  try {
    event = member(JSON.parse(new TextDecoder().decode(body)), "event");
  } catch {
    throw poison("RECORD_NOT_JSON", "the webhook is not valid JSON");
  }
  const to = MEANINGS.get(member(event, "event_type"));
  const key = member(member(event, "data"), "incident_key");
  const occurred = member(event, "occurred_at");
  const time = typeof occurred === "string" ? parseStrictTime(occurred) : undefined;
  if (to === undefined || typeof key !== "string" || key === "" || key.length > KEY_MAX) return [];
  if (time === undefined) throw poison("RECORD_NO_TIME", "the webhook does not say when it happened");
  const agent = member(event, "agent");
  // Null when PagerDuty itself did it, an integration when it was our own resolve: neither is a decision about the incident.
  if (member(agent, "type") !== PERSON) return [];
  const name = member(agent, "summary");
  const by = typeof name === "string" && name !== "" ? safeText(name.slice(0, 2 * NAME_MAX), NAME_MAX) : undefined;
  return [{ incidentId: key, to, by, reason: to === "close" ? "resolved in PagerDuty" : undefined, time }];
}

function member(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
}
