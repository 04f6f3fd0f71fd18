import { safeText } from "../core/safe-text.ts";
import type { AnswerReceiver, Pushed, PushRequest } from "../ports/connector.ts";
import type { Log } from "../ports/context.ts";
import type { Meter } from "../ports/meter.ts";
import { answerIncident, type CloseDeps } from "./close.ts";

/** Answers of one request: PagerDuty sends one, and nobody needs more. */
const ANSWERS_MAX = 10;

/** What taking answers needs. */
export interface AnswersDeps extends CloseDeps {
  readonly meter: Meter;
  readonly log: Log;
  readonly hmacSha256: (key: string, body: Uint8Array) => string;
}

/**
 * Takes what people say where a destination showed them an incident. Accepted once it is stored; an incident that is not
 * ours is accepted too, because a subscription covers all of a service. @throws {Failure} as AnswerReceiver, and of the store
 */
export function answerTaker(
  deps: AnswersDeps,
  destination: string,
  receiver: AnswerReceiver,
): (request: PushRequest) => Promise<Pushed["reply"]> {
  return async (request) => {
    for (const answer of receiver.receive(request, deps.hmacSha256).slice(0, ANSWERS_MAX)) {
      const { incidentId, ...rest } = answer;
      const { outcome } = await answerIncident(deps, incidentId, { ...rest, how: "pager" });
      deps.meter.count("incident_answers_total", { destination, to: answer.to, outcome });
      deps.log.info({ destination, incident: safeText(incidentId, 100), to: answer.to, by: answer.by, outcome }, "a destination answered");
    }
    return { status: 202, contentType: "application/json", body: "{}" };
  };
}
