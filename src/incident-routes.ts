/** How the configuration's words about incidents become settings and paths. */
import { hmacSha256 } from "./adapters/system/system.ts";
import type { PushRoute } from "./adapters/receiver/receiver.ts";
import type { Config } from "./config/config.ts";
import { answerTaker, type AnswersDeps } from "./pipeline/answers.ts";
import { alertsReachMs } from "./core/incident/group.ts";
import type { IncidentSettings } from "./pipeline/incidents.ts";
import type { RetainDeps } from "./pipeline/retain.ts";

/** How incidents are opened, closed and told. */
export function incidentSettings({ correlation }: Config): IncidentSettings {
  const { openAt, quiet, reopen, riskOpen, riskDecay, minConfidence, recordUrls } = correlation;
  return {
    openAt,
    quietMs: quiet,
    reopenMs: reopen,
    riskOpen,
    riskDecayMs: riskDecay,
    confidenceMin: minConfidence,
    recordUrls: new Map(Object.entries(recordUrls)),
  };
}

/** For how long what is kept, and how long before that alerts still matter. */
export function retentionSettings(config: Config): Pick<RetainDeps, "retention" | "alertsReachMs"> {
  return { retention: config.retention, alertsReachMs: alertsReachMs(incidentSettings(config)) };
}

/** The paths to which destinations send what people said there. Who sends signs: a bearer token would only be one more secret to give away. */
export function answerRoutes(config: Config, deps: Omit<AnswersDeps, "hmacSha256">): PushRoute[] {
  return config.destinations.flatMap(({ id, connector, options }): PushRoute[] => {
    const answers = connector.answers?.(options);
    if (answers === undefined) return [];
    return [{ path: `/push/${id}/webhook`, token: undefined, push: answerTaker({ ...deps, hmacSha256 }, id, answers) }];
  });
}
