/** What destinations need at their own side. */
import type { Context, Secret } from "./context.ts";

/** What a team installs at its side so that what we send is understood there. */
export interface Setup {
  /** Deterministic: the same configuration gives the same files. */
  readonly files: readonly SetupFile[];
  /** What can be installed over the destination's own API, in order; none where files are all there is. */
  readonly steps: readonly SetupStep[];
  /** The least privileges, as the destination names them: of the service's own credential, and of whoever installs. */
  readonly privileges: { readonly service: readonly string[]; readonly installer: readonly string[] };
}

/** One file of a setup. */
export interface SetupFile {
  /** Relative to the chosen directory, with `/`; without `..`. */
  readonly path: string;
  readonly text: string;
}

/** One object on the other side. */
export interface SetupStep {
  readonly name: string;
  /** Idempotent: a second call changes nothing. `credential`: the installer's, not the service's. @throws {Failure} */
  apply(context: Context, credential: Secret): Promise<"created" | "changed" | "unchanged">;
}
