/** Guards: what a destination took without having made it safe is asked for until it is safe, or sent again under the same key. */
import { Failure } from "../core/errors.ts";
import type { Outcome, Ticket } from "../ports/connector.ts";
import type { OutboxRow } from "../ports/store.ts";
import type { DeliverDeps } from "./deliver.ts";
import { asFailure, decide, failedItem, storeSettled, type Claim } from "./send.ts";
import { stillAccepted, untouched } from "./settle.ts";

/** A destination that has said nothing for this long is taken not to have it: Splunk's own advice is five minutes. */
const UNCONFIRMED_MAX_MS = 300_000;
/** Tickets that one request asks with. */
const ASKED_MAX = 500;

/** Asks what became of rows that were accepted. Those to be sent again are given back. */
export async function confirmRows(deps: DeliverDeps, claim: Claim, rows: readonly OutboxRow[]): Promise<OutboxRow[]> {
  const again: OutboxRow[] = [];
  for (let at = 0; at < rows.length; at += ASKED_MAX) again.push(...(await confirmSome(deps, claim, rows.slice(at, at + ASKED_MAX))));
  await storeSettled(deps, claim);
  return again;
}

async function confirmSome(deps: DeliverDeps, claim: Claim, rows: readonly OutboxRow[]): Promise<OutboxRow[]> {
  const { destination } = claim.to;
  // The configuration may have changed since, and nobody knows what these tickets mean any more.
  if (destination.confirm === undefined) return [...rows];
  if (claim.failure !== undefined || claim.signal.aborted || deps.now() >= claim.until) {
    for (const row of rows) claim.settlements.push(untouched(row, deps.now()));
    return [];
  }
  let outcomes: readonly Outcome[];
  try {
    outcomes = await destination.confirm(rows.map(ticketOf), { ...claim.to.context, signal: claim.signal });
    if (outcomes.length !== rows.length) throw new Error("the connector returned another number of outcomes than tickets");
  } catch (error) {
    if (!claim.signal.aborted) claim.failure ??= asFailure(error);
    for (const row of rows) claim.settlements.push(untouched(row, deps.now()));
    return [];
  }
  claim.answered = true;
  const again: OutboxRow[] = [];
  for (const [index, row] of rows.entries()) {
    const outcome = outcomes[index]!;
    if (outcome.status === "delivered") decide(deps, claim, row, outcome, undefined);
    else if (outcome.status === "accepted" && deps.now() - (row.ticketTime ?? 0) < UNCONFIRMED_MAX_MS)
      claim.settlements.push(stillAccepted(row, outcome, deps.now()));
    // Whatever is wrong with it is said when it is sent again, with its bytes.
    else if (row.attempts + 1 >= claim.to.maxAttempts)
      claim.settlements.push(failedItem(deps, claim, row, unconfirmed(outcome), undefined));
    else again.push({ ...row, attempts: row.attempts + 1, ticket: null, ticketTime: null });
  }
  return again;
}

function ticketOf({ key, ticket, ticketTime }: OutboxRow): Ticket {
  return { key, ticket: ticket!, time: ticketTime! };
}

function unconfirmed(outcome: Outcome): Failure {
  const message = outcome.status === "failed" ? outcome.message : "it was accepted and never confirmed";
  return new Failure(message, { kind: "retryable", code: outcome.status === "failed" ? outcome.code : "HTTP_TIMEOUT" });
}
