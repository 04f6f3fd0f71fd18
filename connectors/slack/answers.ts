/** What Slack's answers mean: errors of the Web API come with status 200, those of webhooks as plain text. */
import { answerObject, connectorFailure, retryAfterMs, type Answer } from "../../src/archetypes/http-exchange.ts";
import { Failure, type FailureCode } from "../../src/core/errors.ts";
import type { EpochMs } from "../../src/core/event.ts";

/** Who answers, in messages. */
export const PEER = "Slack";

/** "Rate limits": without Retry-After a window of half a minute is over. */
const THROTTLED_WAIT_MS = 30_000;

type Verdict = "denied" | "config" | "refused" | "large" | "throttled" | "unavailable" | "gone";

/** Errors of chat.postMessage, chat.update and auth.test by what is to be done about them ("chat.postMessage, Errors"). */
export const ERRORS: ReadonlyMap<string, Verdict> = new Map(
  (
    [
      [
        "denied",
        "invalid_auth not_authed token_revoked token_expired account_inactive missing_scope no_permission access_denied org_login_required ekm_access_denied not_allowed_token_type",
      ],
      [
        "config",
        "not_in_channel channel_not_found is_archived restricted_action restricted_action_read_only_channel team_access_not_granted messages_tab_disabled",
      ],
      [
        "refused",
        "invalid_blocks invalid_blocks_format no_text too_many_attachments invalid_arguments invalid_json json_not_object metadata_must_be_sent_from_app invalid_metadata_format metadata_too_large cannot_reply_to_message",
      ],
      ["large", "msg_too_long msg_blocks_too_long"],
      ["throttled", "ratelimited rate_limited message_limit_exceeded"],
      ["unavailable", "internal_error fatal_error service_unavailable request_timeout accesslimited team_added_to_org"],
      ["gone", "message_not_found cant_update_message edit_window_closed"],
    ] as const
  ).flatMap(([verdict, names]) => names.split(" ").map((name) => [name, verdict] as const)),
);

/** A message that is there. */
export interface Taken {
  readonly channel: string;
  readonly ts: string;
}

/** The message, or `gone` when the one to be changed cannot be. @throws {Failure} */
export function messageOf(answer: Answer, now: EpochMs): Taken | "gone" {
  throwForStatus(answer, now);
  const body = answerObject(answer);
  if (body?.["ok"] === true) {
    const { channel, ts } = body as { channel?: unknown; ts?: unknown };
    if (typeof channel === "string" && typeof ts === "string" && /^[CGD][A-Z0-9]{2,30}$/.test(channel) && /^\d{1,20}\.\d{1,10}$/.test(ts))
      return { channel, ts };
    throw connectorFailure("retryable", "HTTP_MALFORMED", `${PEER} says ok without naming the message`);
  }
  const error = body?.["error"];
  if (body?.["ok"] !== false || typeof error !== "string")
    throw connectorFailure("retryable", "HTTP_MALFORMED", `${PEER} answered 200 with something that is not its answer`);
  const verdict = ERRORS.get(error);
  if (verdict === "gone") return "gone";
  throw failureOf(verdict, verdict === undefined ? "an error that is not known" : error, answer, now);
}

function failureOf(verdict: Verdict | undefined, error: string, answer: Answer, now: EpochMs): Failure {
  const said = `${PEER} answered ${error}`;
  switch (verdict) {
    case "denied":
      return connectorFailure("permanent", "HTTP_DENIED", said);
    case "refused":
      return new Failure(said, { kind: "permanent", code: "HTTP_REJECTED" });
    case "large":
      return new Failure(said, { kind: "permanent", code: "HTTP_TOO_LARGE" });
    case "throttled":
      return connectorFailure("retryable", "HTTP_THROTTLED", said, retryAfterMs(answer, now) ?? THROTTLED_WAIT_MS);
    case "unavailable":
      // The message may be there all the same: then there are two of it.
      return connectorFailure("retryable", "HTTP_UNAVAILABLE", said, retryAfterMs(answer, now));
    default:
      // Also what nobody knows: it is kept and tried again, and somebody looks.
      return connectorFailure("permanent", "DESTINATION_CONFIG", said);
  }
}

/** 400s of an incoming webhook that are about the message ("Sending messages using incoming webhooks, Handling errors"). */
const WEBHOOK_REFUSED = new Set(["invalid_payload", "no_text", "too_many_attachments", "invalid_blocks", "invalid_blocks_format"]);

/** @throws {Failure} unless a webhook took the message */
export function throwForWebhook(answer: Answer, now: EpochMs): void {
  const text = answer.text.trim();
  if (answer.status === 200) {
    if (text === "ok") return;
    throw connectorFailure("retryable", "HTTP_MALFORMED", `${PEER} answered 200 without ok; something else may be answering`);
  }
  if (answer.status === 400 && WEBHOOK_REFUSED.has(text))
    throw new Failure(`${PEER} answered 400 ${text}`, { kind: "permanent", code: "HTTP_REJECTED" });
  if (answer.status === 410)
    throw connectorFailure("permanent", "DESTINATION_CONFIG", `${PEER} answered 410: the webhook's channel is archived`);
  throwForStatus(answer, now);
}

function throwForStatus(answer: Answer, now: EpochMs): void {
  const { status } = answer;
  if (status === 200) return;
  const said = `${PEER} answered ${status}`;
  const fail = (code: FailureCode): Failure => connectorFailure("permanent", code, said);
  if (status === 429) throw connectorFailure("retryable", "HTTP_THROTTLED", said, retryAfterMs(answer, now) ?? THROTTLED_WAIT_MS);
  if (status >= 500 || status === 408) throw connectorFailure("retryable", "HTTP_UNAVAILABLE", said, retryAfterMs(answer, now));
  if (status > 200 && status < 300)
    throw connectorFailure("retryable", "HTTP_MALFORMED", `${said}, which it never does; something else may be answering`);
  if (status === 413) throw new Failure(said, { kind: "permanent", code: "HTTP_TOO_LARGE" });
  if (status === 401 || status === 403) throw fail("HTTP_DENIED");
  if (status === 400) throw new Failure(said, { kind: "permanent", code: "HTTP_REJECTED" });
  throw fail("DESTINATION_CONFIG");
}
