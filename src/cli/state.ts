import { existsSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import axios from "axios";
import { Failure } from "../core/errors.ts";
import type { Incident } from "../core/incident.ts";
import { safeText } from "../core/safe-text.ts";
import { openStore } from "../adapters/postgres/open.ts";
import type { Config } from "../config/config.ts";
import { storeLocation } from "../config/places.ts";
import { answerIncident, type Answered } from "../pipeline/close.ts";
import type { OutboxRow, Quarantined } from "../ports/store.ts";
import type { DestinationRow } from "../destination-state.ts";
import type { SourceRow } from "../source-state.ts";
import { CHANGES, queryState, type StateParameters, type StateQuery } from "../state.ts";
import type { BaselineSummary } from "../pipeline/show-baselines.ts";
import type { ExplainedEvent } from "../pipeline/explain-event.ts";
import { directory } from "../core/identity/directory.ts";
import { deliveryLines, destinationLines } from "./destination-table.ts";
import { explanationLines } from "./explain-event.ts";
import { baselineLines } from "./baseline-show.ts";
import { sourceLines } from "./source-table.ts";
import { closedText, incidentRows, incidentText } from "./incident.ts";
import { routing } from "./routing.ts";
import { CommandError, EXIT, note, table } from "./output.ts";
import { readStateSecrets } from "../secrets.ts";

/** A running service must answer a question about its state within this time. */
const ANSWER_MS = 10_000;
/** The whole audit log is hashed again, millions of rows where much happens. */
const VERIFY_MS = 600_000;

/** Two commands at once on a stopped service: the second one waits for the first, which takes a few seconds. */
const WAIT_MS = 10_000;
const LOOK_MS = 200;
/** What a connection to a port fails with on which nobody listens. */
const NOBODY: ReadonlySet<string> = new Set(["ECONNREFUSED", "EADDRNOTAVAIL", "ECONNRESET"]);

/** Somebody who answers questions about the state, until closed. */
export interface Answering {
  ask(query: StateQuery, parameters: StateParameters): Promise<unknown>;
  close(): Promise<void>;
}

/** The running service, or, when none has the embedded store, the store itself. @throws {CommandError}, {Failure} */
export function whoAnswers(config: Config): Promise<Answering> {
  return fromEither<Answering>(config, {
    store: (opened) => Promise.resolve(opened),
    // Whether it answers at all is seen by asking something.
    async service() {
      const asked = await askService(config, "progress", {});
      if ("refused" in asked) return asked;
      return { answer: { ask: (query, parameters) => askRunning(config, query, parameters), close: () => Promise.resolve() } };
    },
  });
}

/** Asks the running service, or, when none has the embedded store, the store itself. */
export function askState(config: Config, query: StateQuery, parameters: StateParameters): Promise<unknown> {
  return fromEither<unknown>(config, {
    async store(opened) {
      try {
        return await opened.ask(query, parameters);
      } finally {
        await opened.close();
      }
    },
    service: () => askService(config, query, parameters),
  });
}

/** What the store says, or, while somebody else has it, the service; waits a while for one of them. */
async function fromEither<T>(
  config: Config,
  from: { store(opened: Answering): Promise<T>; service(): Promise<{ readonly answer: T } | { readonly refused: true }> },
): Promise<T> {
  // Looking must not make an empty store where a mistyped path points to.
  if (config.store === "embedded" && !existsSync(config.data)) {
    throw new CommandError(`there is no store in ${config.data}: has the service run with this configuration?`, EXIT.no);
  }
  const end = performance.now() + WAIT_MS;
  for (let told = false; ; told = true) {
    const locked = await openedState(config);
    if (!(locked instanceof Failure)) return from.store(locked);
    const asked = await from.service();
    if ("answer" in asked) return asked.answer;
    if (performance.now() >= end) {
      const { message } = locked;
      throw new CommandError(`${message}; waited ${WAIT_MS / 1000} s, and no service answers on ${config.receiver.listen}`, EXIT.no);
    }
    // Another command holds the store for a moment, or a service that is starting or stopping.
    if (!told) note(`the store is in use and no service answers on ${config.receiver.listen}: waiting up to ${WAIT_MS / 1000} s`);
    await setTimeout(LOOK_MS);
  }
}

/** Asks the running service alone, about what the store does not know. @throws {CommandError} when none answers */
export async function askRunning(config: Config, query: StateQuery, parameters: StateParameters): Promise<unknown> {
  const asked = await askService(config, query, parameters);
  if ("answer" in asked) return asked.answer;
  throw new CommandError(`no service answers on ${config.receiver.listen}`, EXIT.no);
}

/** The store, opened, or why it cannot be: somebody else has it. */
async function openedState(config: Config): Promise<Answering | Failure> {
  const configured = config.sources.map((source) => source.id);
  try {
    await readStateSecrets(config);
    const { store } = await openStore(storeLocation(config));
    return {
      ask: (query, parameters) =>
        queryState(store, query, parameters, Date.now(), {
          configured,
          destinations: config.destinations.map((destination) => destination.id),
          auditRetention: config.retention.audit,
          registry: () => directory(config.agents),
          close: (id, ask) => answerIncident({ store, now: Date.now, ...routing(config) }, id, ask),
        }),
      close: () => store.close(),
    };
  } catch (error) {
    if (error instanceof Failure && error.code === "STORE_LOCKED") return error;
    throw error;
  }
}

/** The answer of the running service; `refused` when nobody takes the connection. */
async function askService(
  config: Config,
  query: StateQuery,
  parameters: StateParameters,
): Promise<{ readonly answer: unknown } | { readonly refused: true }> {
  await readStateSecrets(config);
  const token = config.receiver.token?.reveal();
  const { listen } = config.receiver;
  try {
    const answer = await axios.request<unknown>({
      method: CHANGES.has(query) ? "POST" : "GET",
      url: `http://${listen}/state/${query}`,
      params: parameters,
      timeout: query === "audit-verify" ? VERIFY_MS : ANSWER_MS,
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      validateStatus: () => true,
    });
    if (answer.status !== 200) throw new CommandError(`the service answered ${answer.status} on ${listen}`, EXIT.no);
    return { answer: answer.data };
  } catch (error) {
    if (error instanceof CommandError) throw error;
    if (axios.isAxiosError(error) && NOBODY.has(error.code ?? "")) return { refused: true };
    throw new CommandError(`the service has the store, but does not answer on ${listen}: ${String(error)}`, EXIT.no);
  }
}

/** Prints an answer as a table for people. */
export function printState(query: StateQuery, answer: unknown): void {
  switch (query) {
    case "sources":
      for (const line of sourceLines(answer as SourceRow[])) console.log(line);
      return;
    case "incidents":
      console.log(table(incidentRows(answer as Incident[])));
      return;
    case "incident":
      console.log(answer === null ? "there is no such incident" : incidentText(answer as Incident));
      return;
    case "incidents-close":
      console.log(closedText(answer as Answered));
      return;
    case "deadletters":
      console.log(table([["KEY", "STATUS", "ATTEMPTS", "CREATED", "NOTE"], ...(answer as OutboxRow[]).map(outboxRow)]));
      return;
    case "deliveries":
      for (const line of deliveryLines(answer as OutboxRow[])) console.log(line);
      return;
    case "destinations":
      for (const line of destinationLines(answer as DestinationRow[])) console.log(line);
      return;
    case "destinations-enable":
      console.log(
        (answer as { enabled: boolean }).enabled
          ? "enabled: it is tried again at once"
          : "nothing is disabled under that name; `custodes destinations` lists them",
      );
      return;
    case "quarantine":
      console.log(table([["ID", "SOURCE", "CODE", "POSITION", "TIME", "MESSAGE"], ...(answer as Quarantined[]).map(quarantineRow)]));
      return;
    case "baselines":
      for (const line of baselineLines(answer as readonly BaselineSummary[])) console.log(line);
      return;
    case "explain":
      for (const line of answer === null ? ["there is no such event"] : explanationLines(answer as ExplainedEvent)) console.log(line);
      return;
    case "drill":
    case "drill-progress":
    case "deadletter":
    case "quarantine-record":
    case "deadletters-replay":
    case "progress":
    case "rules":
    case "log":
    case "trace":
    case "touched":
    case "audit":
    case "audit-verify":
      console.log(answer === null ? "there is no such row" : JSON.stringify(answer, null, 2));
  }
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
