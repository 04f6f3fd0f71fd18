/** A batch of incident revisions where the incidents API is used: the API first, which can be repeated, the rows last, which cannot. */
import { Failure } from "../../src/core/errors.ts";
import type { Outcome, Rendered } from "../../src/ports/connector.ts";
import type { Context } from "../../src/ports/context.ts";
import type { Access } from "./access.ts";
import type { Config } from "./config.ts";
import { putIncident } from "./incident-api.ts";

/** 75 incidents may be written in five minutes ("Microsoft Sentinel request limits"): a third of that in one batch. */
const INCIDENTS_MAX = 25;
/** No incident is begun later, so that the batch ends long before its lease does; each takes up to three requests. */
const SLICE_MS = 20_000;
/** What was not begun is tried after the time in which the API takes another batch. */
const NEXT_MS = 100_000;

/**
 * One outcome per item. A failure of everything stops the batch: what was done before it keeps its outcome.
 * @throws {Failure} when nothing was done
 */
export async function sendIncidents(
  options: Config,
  access: Access,
  batch: readonly Rendered[],
  context: Context,
  sendRows: (rows: readonly Rendered[]) => Promise<readonly Outcome[]>,
): Promise<readonly Outcome[]> {
  const end = context.clock.now() + SLICE_MS;
  const outcomes: Outcome[] = [];
  const written: Rendered[] = [];
  const done = new Map<string, string>();
  let stopped: Failure | undefined;
  for (const [index, one] of batch.entries()) {
    if (stopped === undefined && (index >= INCIDENTS_MAX || context.clock.now() >= end)) stopped = later();
    if (stopped !== undefined) {
      outcomes.push(waiting(stopped));
      continue;
    }
    try {
      done.set(one.key, await putIncident(options, access, one, context));
      written.push(one);
      outcomes.push({ status: "delivered", receipt: "" });
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      if (error.scope === "connector") stopped = error;
      outcomes.push(waiting(error));
    }
  }
  const cause = stopped;
  if (cause !== undefined && outcomes.every((outcome) => outcome.status === "failed" && outcome.code === cause.code)) throw cause;
  const rows = written.length === 0 ? [] : await sendRows(written);
  const byKey = new Map(written.map((one, index) => [one.key, rows[index]]));
  return outcomes.map((outcome, index) => {
    const key = batch[index]?.key ?? "";
    const row = byKey.get(key);
    if (row === undefined) return outcome;
    return row.status === "delivered" ? { ...row, receipt: `${done.get(key) ?? ""}; ${row.receipt}` } : row;
  });
}

function later(): Failure {
  return new Failure("the incidents API takes only so many incidents at a time", {
    kind: "retryable",
    code: "HTTP_UNAVAILABLE",
    scope: "connector",
    retryAfterMs: NEXT_MS,
  });
}

/**
 * A failure as the outcome of one item. What an operator must repair is `config` here: `permanent` would make a dead letter
 * of a delivery that has nothing wrong with it.
 */
function waiting({ kind, scope, code, message, retryAfterMs }: Failure): Outcome {
  return {
    status: "failed",
    kind: scope === "connector" && kind !== "retryable" ? "config" : kind,
    code,
    message,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}
