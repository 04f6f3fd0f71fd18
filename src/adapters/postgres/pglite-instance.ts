/**
 * Guards: after a write that failed, or any other error that breaks PostgreSQL off, not one more instruction of it runs.
 * A server would end its process there and recover from its log; in this process it would go on with its locks held
 * and wait for them in a loop that never ends.
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import { NodeFS } from "@electric-sql/pglite/nodefs";
import { Failure } from "../../core/errors.ts";
import { brokenFailure, diskFailure, identityOf, isDiskError, removedFailure } from "./disk.ts";

/** One PGlite from its opening to its end. */
export interface Instance {
  readonly pglite: PGlite;
  /** Why it is dead; undefined while it can be used. */
  dead(): Failure | undefined;
  /** Makes it dead for a reason that it cannot know. */
  end(failure: Failure): void;
  /** Its directory is no longer where it was. */
  removed(): boolean;
  /** The Failure for an error of one of its statements, when it cannot go on after it: then it is dead. */
  fatal(error: unknown): Failure | undefined;
  /** Ends it, in an orderly way when it is not dead. */
  close(): Promise<void>;
}

/** Errors of PostgreSQL after which a server would end its process. */
const FATAL: ReadonlySet<unknown> = new Set(["PANIC", "FATAL"]);

/** Error numbers that PostgreSQL was compiled with (those of WASI), as far as somebody here looks at them. */
const ERRNO: Readonly<Record<number, string>> = { 19: "EDQUOT", 22: "EFBIG", 29: "EIO", 44: "ENOENT", 51: "ENOSPC", 69: "EROFS" };

/** What of PGlite's module is needed here and has no types. */
type Module = Record<string, unknown> & {
  readonly NODEFS: Readonly<Record<"node_ops" | "stream_ops", Record<string, Operation>>>;
  readonly FS: { readonly streams: readonly unknown[]; close(stream: unknown): void };
};
type Imports = Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>;
type Instantiate = (imports: Imports, ready: unknown) => unknown;
type Operation = (this: unknown, ...given: unknown[]) => unknown;

/**
 * Opens the database in `dataDir`, or one in memory; PostgreSQL recovers what was committed.
 * @throws {Failure} STORE_UNAVAILABLE when the disk fails; PGlite's own errors
 */
export async function openInstance(dataDir: string | undefined): Promise<Instance> {
  const location = dataDir === undefined ? undefined : join(dataDir, "database");
  const begun = location === undefined ? undefined : prepare(location);
  const identity = location === undefined ? undefined : identityOf(location);
  let module: Module | undefined;
  let stopTimers = (): void => undefined;
  let death: Failure | undefined;
  const die = (failure: Failure): Failure => {
    if (death === undefined) {
      death = failure;
      stopTimers();
      if (module !== undefined) disarm(module, failure);
    }
    return death;
  };
  const removed = (): boolean => location !== undefined && identityOf(location) !== identity;
  const files = location === undefined || dataDir === undefined ? undefined : new NodeFS(location);
  if (files !== undefined && dataDir !== undefined) {
    const whenReady = (made: Module): void => {
      module = made;
      watch(made.NODEFS, (code) => {
        if (isDiskError(code)) throw die(diskFailure(dataDir, code));
        if (code === "ENOENT" && removed()) throw die(removedFailure(dataDir));
      });
    };
    const init = files.init.bind(files);
    files.init = async (pglite, options) => {
      const { emscriptenOpts } = await init(pglite, options);
      const preRun = [...(emscriptenOpts.preRun ?? []), (made: unknown) => whenReady(made as Module)];
      const instantiate = emscriptenOpts["instantiateWasm"] as Instantiate;
      const instantiateWasm: Instantiate = (imports, ready) => {
        stopTimers = timerStop(imports);
        return instantiate(imports, ready);
      };
      return { emscriptenOpts: { ...emscriptenOpts, preRun, instantiateWasm } };
    };
  }
  const pglite = await (files === undefined ? PGlite.create("memory://") : PGlite.create({ fs: files })).catch((error: unknown) => {
    if (module !== undefined) closeFiles(module);
    throw death ?? error;
  });
  module ??= pglite.Module as unknown as Module;
  if (begun !== undefined) rmSync(begun, { force: true });
  return {
    pglite,
    dead: () => death,
    end: (failure) => void die(failure),
    removed,
    fatal: (error) => {
      if (death !== undefined) return death;
      const { code, severity } = described(error);
      if (code === "53100" && dataDir !== undefined) return die(diskFailure(dataDir, code));
      // Without a code of PostgreSQL it is the module itself that failed.
      return code === undefined || FATAL.has(severity) ? die(brokenFailure(dataDir, code ?? "no answer")) : undefined;
    },
    close: async () => {
      if (death === undefined) await pglite.close();
      else if (module !== undefined) closeFiles(module);
    },
  };
}

/**
 * A database whose making was cut off looks like one and is none. The file beside it says that it is being made; what
 * such a file is found beside was never used, and is removed. The result is the file to remove when it is made.
 */
function prepare(location: string): string | undefined {
  const begun = `${location}.begun`;
  if (existsSync(begun)) rmSync(location, { recursive: true, force: true });
  if (existsSync(location)) return undefined;
  writeFileSync(begun, "");
  mkdirSync(location, { recursive: true });
  return begun;
}

/** Tells every error of the file operations, by its name in node, before PostgreSQL hears of it. */
function watch(files: Module["NODEFS"], failed: (code: string) => void): void {
  for (const operations of [files.node_ops, files.stream_ops]) {
    for (const [name, operation] of Object.entries(operations)) {
      operations[name] = function (...given) {
        try {
          return operation.apply(this, given);
        } catch (error) {
          // Not an Error in every build of the module, but always with a number.
          const { errno } = error as { readonly errno?: unknown };
          failed((typeof errno === "number" ? ERRNO[errno] : undefined) ?? "");
          throw error;
        }
      };
    }
  }
}

/** PGlite calls its module again after an error that it does not know: every call throws from now on. */
function disarm(module: Module, failure: Failure): void {
  for (const [name, value] of Object.entries(module)) {
    if (typeof value !== "function") continue;
    module[name] = () => {
      throw failure;
    };
  }
}

/** PostgreSQL's timers would go on, and keep the process alive for ever. The numbers are those of setitimer(2). */
function timerStop(imports: Imports): () => void {
  const set = imports["env"]?.["_setitimer_js"];
  return () => {
    if (typeof set === "function") for (const timer of [0, 1, 2]) set(timer, 0);
  };
}

/** Gives the file descriptors of a dead module back. */
function closeFiles({ FS }: Module): void {
  for (const stream of FS.streams) {
    try {
      if (stream !== undefined && stream !== null) FS.close(stream);
    } catch {
      // A file that a failing disk does not close properly is closed all the same.
    }
  }
}

function described(error: unknown): { readonly code: string | undefined; readonly severity: unknown } {
  if (!(error instanceof Error) || !("code" in error) || !("severity" in error)) return { code: undefined, severity: undefined };
  return { code: typeof error.code === "string" ? error.code : undefined, severity: error.severity };
}
