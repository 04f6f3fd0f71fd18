import type { z } from "zod";
import type { Level } from "../core/alert.ts";
import type { AgentProfile } from "../core/identity/profile.ts";
import type { Connector, Subject } from "../ports/connector.ts";
import type { Secret } from "../ports/context.ts";
import type { Network } from "../ports/network.ts";
import type { VaultSettings } from "../ports/vault.ts";
import type { configSchema } from "./schema.ts";
import type { VaultBook } from "./vault.ts";

/** One configured source. */
export interface SourceConfig {
  /** `<connector>/<name>`. */
  readonly id: string;
  readonly connector: Connector;
  /** The connector's own validated configuration. */
  readonly options: unknown;
  readonly every: string;
  readonly latenessMs: number;
  readonly stallMs: number;
  readonly token: Secret | undefined;
  readonly network: Network;
}

/** One configured destination. */
export interface DestinationConfig {
  readonly id: string;
  readonly connector: Connector;
  readonly options: unknown;
  readonly when: {
    readonly minLevel: Level | undefined;
    readonly kinds: readonly Subject["kind"][] | undefined;
    readonly rules: readonly string[] | undefined;
    readonly final: boolean | undefined;
    readonly agents: readonly string[] | undefined;
    readonly teams: readonly string[] | undefined;
    readonly tenants: readonly string[] | undefined;
  };
  readonly maxAttempts: number;
  readonly disableAfterMs: number;
  /** Requests that may be under way at once at most. */
  readonly concurrency: number;
  readonly network: Network;
}

/** A validated configuration; every path in it is absolute. */
export interface Config extends Omit<
  z.output<typeof configSchema>,
  "sources" | "destinations" | "agents" | "rules" | "placeholders" | "vault"
> {
  readonly file: string;
  /** SHA-256, in hex, of its text. */
  readonly hash: string;
  /** Line of a key path in the file, for problems that only show later. */
  readonly lineOf: (path: readonly PropertyKey[]) => number;
  readonly agents: readonly AgentProfile[];
  /** Absolute paths that they come from: files, directories and patterns. */
  readonly registry: readonly string[];
  /** Absolute paths of rule files and directories; the shipped pack is resolved. */
  readonly rules: readonly string[];
  /** Values of `%name%` in rules. */
  readonly placeholders: ReadonlyMap<string, readonly string[]>;
  /** Where references into Vault are read, and what was read. */
  readonly vault: { readonly settings: VaultSettings; readonly book: VaultBook } | undefined;
  readonly sources: readonly SourceConfig[];
  readonly destinations: readonly DestinationConfig[];
}
