import type { EpochMs } from "../core/event.ts";
import type { AuditEntry } from "../ports/audit.ts";
import type { Log } from "../ports/context.ts";
import type { Store } from "../ports/store.ts";

/** When the head is told: at most a day of the audit log can be cut off without anybody being able to tell. */
export const TELL_HEAD_EVERY = "0 0 0 * * *";

/** Entries that the service makes about itself. */
export interface AuditTrail {
  /** Never throws: what is to be recorded has happened, and the log says when it could not be. */
  note(action: string, subject: string, details: AuditEntry["details"]): Promise<void>;
  /** The service works, with this. */
  started(details: AuditEntry["details"]): Promise<void>;
  /** The service is about to end; says nothing of one that never started. */
  stopped(): Promise<void>;
  /** Says in the log where the chain ends, so that its collector keeps what nobody with access to the store can change. */
  tellHead(): Promise<void>;
}

/** A trail into the store. */
export function auditTrail({ store, now, log }: { readonly store: Store; readonly now: () => EpochMs; readonly log: Log }): AuditTrail {
  let runs = false;
  const tell = ({ number, hash }: { readonly number: number; readonly hash: string }): void =>
    log.info({ number, hash }, "head of the audit log");
  const append = async (action: string, subject: string, details: AuditEntry["details"], told: boolean): Promise<void> => {
    try {
      const head = await store.appendAudit({ time: now(), actor: "custodes", action, subject, details });
      if (told) tell(head);
    } catch (error) {
      log.error({ action, subject, error: String(error) }, "an entry of the audit log could not be stored");
    }
  };
  return {
    note: (action, subject, details) => append(action, subject, details, false),
    async started(details) {
      await append("service.started", "", details, true);
      runs = true;
    },
    async stopped() {
      if (runs) await append("service.stopped", "", {}, true);
    },
    async tellHead() {
      const head = await store.auditHead();
      if (head !== null) tell(head);
    },
  };
}
