/** Guards: what a destination took without having made it safe is asked for until it is safe, or sent again under the same key. */
import { Failure } from "../core/errors.ts";
import type { Outcome, Ticket } from "../ports/connector.ts";
import type { OutboxRow } from "../ports/store.ts";
import type { DeliverDeps } from "./deliver.ts";
import { asFailure, decide, renderRow, storeSettled, type Claim } from "./send.ts";
import { dead, stillAccepted, untouched } from "./settle.ts";
import { loadSubject } from "./subject.ts";

/** A destination that has said nothing for this long is taken not to have it: Splunk's own advice is five minutes. */
const UNCONFIRMED_MAX_MS = 300_000;
/** Tickets that one request asks with. */
const ASKED_MAX = 500;

/** Rows that were accepted with one ticket. */
type Sharing = readonly [OutboxRow, ...OutboxRow[]];

/** Asks what became of rows that were accepted. Those to be sent again are given back. */
export async function confirmRows(deps: DeliverDeps, claim: Claim, rows: readonly OutboxRow[]): Promise<OutboxRow[]> {
  // Each ticket once, and its rows settled from the one answer: some destinations forget what they have told.
  const sharing = [...Map.groupBy(rows, ({ ticket }) => ticket).values()] as unknown as readonly Sharing[];
  const again: OutboxRow[] = [];
  for (let at = 0; at < sharing.length; at += ASKED_MAX) {
    again.push(...(await confirmSome(deps, claim, sharing.slice(at, at + ASKED_MAX))));
    // At once: a crash must not lose an answer that is given only once.
    await storeSettled(deps, claim);
  }
  return again;
}

async function confirmSome(deps: DeliverDeps, claim: Claim, asked: readonly Sharing[]): Promise<OutboxRow[]> {
  const { destination } = claim.to;
  // The configuration may have changed since, and nobody knows what these tickets mean any more.
  if (destination.confirm === undefined) return asked.flat().map((row) => ticketless(claim, row));
  let outcomes: readonly Outcome[];
  try {
    if (claim.failure !== undefined || claim.signal.aborted || deps.now() >= claim.until) return giveBack(deps, claim, asked);
    outcomes = await destination.confirm(
      asked.map(([row]) => ticketOf(row)),
      { ...claim.to.context, signal: claim.signal },
    );
    if (outcomes.length !== asked.length) throw new Error("the connector returned another number of outcomes than tickets");
  } catch (error) {
    if (!claim.signal.aborted) {
      claim.failure ??= asFailure(error);
      claim.window.failed();
    }
    return giveBack(deps, claim, asked);
  }
  claim.answered = true;
  const again: OutboxRow[] = [];
  for (const [index, rows] of asked.entries())
    for (const row of rows) if (await isToBeSentAgain(deps, claim, row, outcomes[index]!)) again.push(ticketless(claim, row));
  if (again.length > 0)
    deps.context.log.warn(
      { destination: claim.to.id, deliveries: again.length },
      "what the destination had accepted is sent again: it was not confirmed",
    );
  return again;
}

/** Settles a row by the answer about its ticket, or leaves it to be sent again. */
async function isToBeSentAgain(deps: DeliverDeps, claim: Claim, row: OutboxRow, outcome: Outcome): Promise<boolean> {
  if (outcome.status === "delivered") decide(deps, claim, row, outcome, undefined);
  else if (outcome.status === "accepted" && deps.now() - (row.ticketTime ?? 0) < UNCONFIRMED_MAX_MS)
    claim.settlements.push(stillAccepted(row, outcome, deps.now()));
  // Whatever is wrong with it is said when it is sent again, with its bytes.
  else if (row.attempts < claim.to.maxAttempts) return true;
  else {
    const rendered = await renderRow(deps, claim, row, await loadSubject(deps, row));
    if (rendered !== undefined) claim.settlements.push(dead(row, deps.now(), unconfirmed(outcome), rendered.body));
  }
  return false;
}

/** A row as it is before it is sent. */
function ticketless(claim: Claim, row: OutboxRow): OutboxRow {
  const fresh = { ...row, ticket: null, ticketTime: null };
  claim.rows.set(row.key, fresh);
  return fresh;
}

function giveBack(deps: DeliverDeps, claim: Claim, asked: readonly Sharing[]): [] {
  for (const row of asked.flat()) claim.settlements.push(untouched(row, deps.now()));
  return [];
}

function ticketOf({ key, ticket, ticketTime }: OutboxRow): Ticket {
  return { key, ticket: ticket!, time: ticketTime! };
}

function unconfirmed(outcome: Outcome): Failure {
  const message = outcome.status === "failed" ? outcome.message : "it was accepted and never confirmed";
  return new Failure(message, { kind: "retryable", code: outcome.status === "failed" ? outcome.code : "HTTP_TIMEOUT" });
}
