/** What the cursors of sources that keep a state in them have in common: a version and the state's parts, as JSON. */
import { Failure } from "../core/errors.ts";
import type { Cursor } from "../ports/connector.ts";

/** Limit of the cursor of every source, bytes. */
export const CURSOR_BYTES_MAX = 4096;
/** Version of the parts; another one would be another program's. */
const VERSION = 1;

/** The parts as a cursor. Whether it fits is for the caller to see. */
export function encodeCursor(parts: readonly unknown[]): Cursor {
  return JSON.stringify([VERSION, ...parts]);
}

/**
 * The state that `read` makes of a cursor's parts; it says undefined when they are none of its own. `owner` names the
 * kind of source for the message.
 * @throws {Failure} permanent CURSOR_INVALID
 */
export function decodeCursor<S>(cursor: Cursor, owner: string, read: (parts: readonly unknown[]) => S | undefined): S {
  const parts = partsOf(cursor);
  const state = parts === undefined ? undefined : read(parts);
  if (state === undefined)
    throw new Failure(`the cursor is not one of ${owner}`, { kind: "permanent", code: "CURSOR_INVALID", scope: "connector" });
  return state;
}

function partsOf(cursor: Cursor): readonly unknown[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(cursor);
  } catch {
    return undefined;
  }
  if (!Array.isArray(value)) return undefined;
  const [version, ...parts] = value as readonly unknown[];
  return version === VERSION ? parts : undefined;
}
