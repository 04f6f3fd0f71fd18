import { existsSync } from "node:fs";
import axios from "axios";
import { Failure } from "../core/errors.ts";
import type { Incident } from "../core/incident.ts";
import { safeText } from "../core/safe-text.ts";
import { openStore } from "../adapters/postgres/open.ts";
import type { Config } from "../config/config.ts";
import { storeLocation } from "../config/places.ts";
import type { FieldGap } from "../pipeline/gaps.ts";
import type { OutboxRow, Quarantined, SourceState } from "../ports/store.ts";
import { queryState, type StateParameters, type StateQuery } from "../state.ts";
import { timelineLines } from "./timeline.ts";
import { CommandError, EXIT, table } from "./output.ts";

/** A running service must answer a question about its state within this time. */
const ANSWER_MS = 10_000;

/** Somebody who answers questions about the state, until closed. */
export interface Answering {
  ask(query: StateQuery, parameters: StateParameters): Promise<unknown>;
  close(): Promise<void>;
}

/** The running service, or, when none has the embedded store, the store itself. @throws {CommandError}, {Failure} */
export async function whoAnswers(config: Config): Promise<Answering> {
  // Looking must not make an empty store where a mistyped path points to.
  if (config.store === "embedded" && !existsSync(config.data)) {
    throw new CommandError(`there is no store in ${config.data}: has the service run with this configuration?`, EXIT.no);
  }
  const configured = config.sources.map((source) => source.id);
  try {
    const { store } = await openStore(storeLocation(config));
    return {
      ask: (query, parameters) => queryState(store, query, parameters, Date.now(), { configured }),
      close: () => store.close(),
    };
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== "STORE_LOCKED") throw error;
  }
  return { ask: (query, parameters) => askService(config, query, parameters), close: () => Promise.resolve() };
}

/** Asks one question of whoever answers. */
export async function askState(config: Config, query: StateQuery, parameters: StateParameters): Promise<unknown> {
  const answering = await whoAnswers(config);
  try {
    return await answering.ask(query, parameters);
  } finally {
    await answering.close();
  }
}

async function askService(config: Config, query: StateQuery, parameters: StateParameters): Promise<unknown> {
  const token = config.receiver.token?.reveal();
  const answer = await axios
    .request<unknown>({
      method: query === "deadletters-replay" ? "POST" : "GET",
      url: `http://${config.receiver.listen}/state/${query}`,
      params: parameters,
      timeout: ANSWER_MS,
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      validateStatus: () => true,
    })
    .catch((error: unknown) => {
      throw new CommandError(`the service has the store, but does not answer on ${config.receiver.listen}: ${String(error)}`, EXIT.no);
    });
  if (answer.status !== 200) throw new CommandError(`the service answered ${answer.status} on ${config.receiver.listen}`, EXIT.no);
  return answer.data;
}

/** Prints an answer as a table for people. */
export function printState(query: StateQuery, answer: unknown): void {
  switch (query) {
    case "sources":
      console.log(
        table([
          ["SOURCE", "EVENTS", "DUPLICATES", "QUARANTINED", "LATE", "WATERMARK", "LAG", "STATE"],
          ...(answer as SourceRow[]).map(sourceRow),
        ]),
      );
      for (const line of (answer as SourceRow[]).flatMap(gapLines)) console.log(line);
      return;
    case "incidents":
      console.log(
        table([["ID", "LEVEL", "RISK", "STATUS", "REV", "ENTITY", "OPENED", "TITLE"], ...(answer as Incident[]).map(incidentRow)]),
      );
      return;
    case "incident":
      console.log(answer === null ? "there is no such incident" : incidentText(answer as Incident));
      return;
    case "deadletters":
    case "deliveries":
      console.log(table([["KEY", "STATUS", "ATTEMPTS", "CREATED", "NOTE"], ...(answer as OutboxRow[]).map(outboxRow)]));
      return;
    case "quarantine":
      console.log(table([["ID", "SOURCE", "CODE", "POSITION", "TIME", "MESSAGE"], ...(answer as Quarantined[]).map(quarantineRow)]));
      return;
    case "deadletter":
    case "quarantine-record":
    case "deadletters-replay":
    case "progress":
    case "log":
      console.log(answer === null ? "there is no such row" : JSON.stringify(answer, null, 2));
  }
}

type SourceRow = SourceState & { readonly lagMs: number | null; readonly neverSupplied: readonly FieldGap[] | null };

/** What rules read and a source never says: a rule about it stays silent for that source. */
function gapLines(row: SourceRow): string[] {
  const byCategory = Map.groupBy(row.neverSupplied ?? [], (gap) => gap.category);
  return [...byCategory].map(
    ([category, gaps]) =>
      `coverage gap: ${row.source} has not supplied ${gaps.map((gap) => gap.field).join(", ")} in ${gaps[0]?.events ?? 0} ${category} events`,
  );
}

function sourceRow(row: SourceRow): string[] {
  const lag = row.lagMs === null ? "-" : `${Math.round(row.lagMs / 1000)} s`;
  const counts = [row.events, row.duplicates, row.quarantined, row.lateEvents].map(String);
  return [row.source, ...counts, iso(row.watermark), lag, row.pausedReason ?? row.lastError ?? "works"];
}

function incidentRow(row: Incident): string[] {
  return [
    row.id,
    row.level,
    String(row.risk),
    statusName(row.status),
    String(row.revision),
    row.entity,
    iso(row.openedTime),
    safeText(row.title, 100),
  ];
}

function statusName(status: number): string {
  return ["unknown", "new", "in progress", "on hold", "resolved", "closed"][status] ?? String(status);
}

/** More lines than a screen shows help nobody; `--json` has all. */
const TIMELINE_LINES = 30;

/** An incident for a terminal. */
function incidentText(incident: Incident): string {
  const list = (label: string, values: readonly string[]) =>
    values.length === 0 ? [] : [`  ${label.padEnd(12)} ${values.map((one) => safeText(one, 80)).join(", ")}`];
  return [
    `${incident.level.toUpperCase()}  ${safeText(incident.title, 160)}`,
    `  ${safeText(incident.story, 400)}`,
    `  id ${incident.id}, revision ${incident.revision}, ${statusName(incident.status)}, risk ${incident.risk}, ${incident.final ? "final" : "provisional"}, coverage ${incident.coverage.state}${incident.coverage.missing.length > 0 ? ` (missing: ${incident.coverage.missing.join(", ")})` : ""}`,
    ...list(
      "agent",
      [incident.agentUid, incident.agentName, incident.agentOwner].filter((one) => one !== undefined),
    ),
    ...list("hosts", incident.hosts),
    ...list("addresses", incident.ips),
    ...list("credentials", incident.credentials),
    ...list("users", incident.users),
    ...list(
      "mappings",
      incident.maps.map((map) => `${map.framework} ${map.version} ${map.id}`),
    ),
    ...list("actions", incident.actions),
    ...list("runbooks", incident.runbooks),
    "  timeline",
    ...timelineLines(incident.timeline, TIMELINE_LINES, iso).map((line) => `    ${line}`),
  ].join("\n");
}

function outboxRow(row: OutboxRow): string[] {
  return [row.key, row.status, String(row.attempts), iso(row.createdTime), safeText(row.note ?? "", 120)];
}

function quarantineRow(row: Quarantined): string[] {
  return [String(row.id), row.source, row.code, safeText(row.position, 80), iso(row.time), safeText(row.message, 100)];
}

function iso(time: number | null): string {
  return time === null ? "-" : new Date(time).toISOString();
}
