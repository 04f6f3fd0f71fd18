/** The section `vault`, and the references into it. */
import { z } from "zod";
import { insecureUrl } from "../archetypes/http-pages.ts";
import { duration, secret, serverUrl } from "../archetypes/settings.ts";
import type { VaultReference, VaultSettings, VaultValues } from "../ports/vault.ts";
import { networkKeys, networkOf } from "./network.ts";
import { secretReference } from "./secrets.ts";

/** Where Kubernetes puts a pod's token (kubernetes.io, "Configure Service Accounts for Pods"). */
const POD_TOKEN = "${file:/var/run/secrets/kubernetes.io/serviceaccount/token}";

const mount = (usual: string) =>
  z
    .string()
    .regex(/^[^\s#?]+$/, "is a mount's path, such as approle")
    .default(usual);

/** The section. */
export const vaultSchema = z
  .strictObject({
    address: serverUrl("https://vault.example:8200")
      .refine((url) => insecureUrl(url) === undefined, "must be https; http is for this machine only")
      .describe("Where Vault answers"),
    namespace: z.string().min(1).max(256).optional().describe("Vault Enterprise and HCP: the namespace of login and secrets"),
    auth: z
      .discriminatedUnion("type", [
        z.strictObject({ type: z.literal("token"), token: secret.describe("Token, as a reference; renewed where it can be") }),
        z.strictObject({ type: z.literal("approle"), mount: mount("approle"), roleId: z.string().min(1), secretId: secret }),
        z.strictObject({
          type: z.literal("kubernetes"),
          mount: mount("kubernetes"),
          role: z.string().min(1),
          jwt: secret.optional().describe("Service account token. Default: the pod's own"),
        }),
      ])
      .describe("As whom to read: token, approle or kubernetes"),
    refresh: duration
      .refine((ms) => ms >= 10_000, "at least 10s")
      .prefault("5m")
      .describe("How often secrets are read anew; sooner when a server refuses a credential"),
    ...networkKeys,
  })
  .describe("HashiCorp Vault, for references ${vault:MOUNT/PATH#KEY} to secrets of a KV engine of version 2");

/** The section as the reader of secrets takes it; paths are relative to `directory`. */
export function vaultSettings(given: z.output<typeof vaultSchema>, directory: string): VaultSettings {
  const { auth, address, namespace, refresh } = given;
  const jwt = auth.type === "kubernetes" ? (auth.jwt ?? secretReference(POD_TOKEN, {})) : undefined;
  return {
    address,
    namespace,
    refresh,
    auth: auth.type === "kubernetes" ? { ...auth, jwt: jwt! } : auth,
    network: networkOf(given, { address }, directory),
  };
}

/** A reference with the place in the file where it stands first. */
export interface PlacedReference extends VaultReference {
  readonly at: readonly PropertyKey[];
}

/** Values without any reference yet. */
export interface VaultBook extends VaultValues {
  readonly references: readonly PlacedReference[];
  add(text: string, at: readonly PropertyKey[]): boolean;
}

const REFERENCE = /^\$\{vault:([^/#}]+)\/([^#}]+)#([^}]+)\}$/;

/** An empty book; `add` says whether the text is a reference into Vault. */
export function vaultBook(): VaultBook {
  const references = new Map<string, PlacedReference>();
  const values = new Map<string, string>();
  return {
    get references() {
      return [...references.values()];
    },
    get: (text) => values.get(text),
    set: (text, value) => void values.set(text, value),
    add(text, at) {
      const [, mounted = "", path = "", key = ""] = REFERENCE.exec(text) ?? [];
      if (key === "" || path.split("/").some((part) => part === "" || part === "." || part === "..")) return false;
      if (!references.has(text)) references.set(text, { text, at, mount: mounted.replaceAll(/%2F/gi, "/"), path, key });
      return true;
    },
  };
}
