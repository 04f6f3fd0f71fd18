import type { Secret } from "./context.ts";
import type { Network } from "./network.ts";

/** `${vault:MOUNT/PATH#KEY}`: one key of one secret of a KV engine of version 2. */
export interface VaultReference {
  /** As written. */
  readonly text: string;
  /** A mount with slashes is written with %2F. */
  readonly mount: string;
  readonly path: string;
  readonly key: string;
}

/** What was read from Vault last, by reference. Secrets of the configuration read from here whenever they are revealed. */
export interface VaultValues {
  readonly references: readonly VaultReference[];
  get(text: string): string | undefined;
  set(text: string, value: string): void;
}

/** As whom to read. */
export type VaultAuth =
  | { readonly type: "token"; readonly token: Secret }
  | { readonly type: "approle"; readonly mount: string; readonly roleId: string; readonly secretId: Secret }
  | { readonly type: "kubernetes"; readonly mount: string; readonly role: string; readonly jwt: Secret };

/** How secrets are read from Vault. */
export interface VaultSettings {
  /** Without a final slash. */
  readonly address: string;
  readonly namespace?: string | undefined;
  readonly auth: VaultAuth;
  /** How often all are read anew, milliseconds. */
  readonly refresh: number;
  readonly network: Network;
}
