/**
 * Signatures of Standard Webhooks 1.0.0: HMAC-SHA-256 over `<id>.<timestamp>.<body>`, one `v1,<base64>` per key.
 * https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
import { connectorFailure } from "../../src/archetypes/http-exchange.ts";
import type { Hashing, Secret } from "../../src/ports/context.ts";

/** The specification's bounds of a key, bytes. */
const KEY_MIN = 24;
const KEY_MAX = 64;
const PREFIX = "whsec_";

/** What the headers of one attempt are made of. */
export interface Signed {
  /** Stable over attempts: what receivers drop repeats by. */
  readonly id: string;
  /** Unix seconds of this attempt. */
  readonly timestamp: number;
  readonly body: string;
}

/** The three headers. @throws {Failure} permanent, scope connector, when a key is none or cannot be read */
export function signatureHeaders({ id, timestamp, body }: Signed, secrets: readonly Secret[], digest: Hashing): Record<string, string> {
  const content = new TextEncoder().encode(`${id}.${timestamp}.${body}`);
  const signatures = secrets.map((secret) => `v1,${base64OfHex(digest.hmacSha256(signingKey(secret), content))}`);
  return { "webhook-id": id, "webhook-timestamp": String(timestamp), "webhook-signature": signatures.join(" ") };
}

/** The bytes of a key. @throws {Failure} permanent, scope connector; its message says nothing of the key */
export function signingKey(secret: Secret): Uint8Array {
  const text = secret.reveal().trim();
  const encoded = text.startsWith(PREFIX) ? text.slice(PREFIX.length) : text;
  const bytes = /^[A-Za-z0-9+/]{4,}={0,2}$/.test(encoded) && encoded.length % 4 === 0 ? bytesOf(encoded) : undefined;
  if (bytes === undefined || bytes.length < KEY_MIN || bytes.length > KEY_MAX)
    throw connectorFailure(
      "permanent",
      "DESTINATION_CONFIG",
      `a signing key is not ${PREFIX} and the base64 of ${KEY_MIN} to ${KEY_MAX} bytes`,
    );
  return bytes;
}

function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
}

function base64OfHex(hex: string): string {
  return btoa(hex.replaceAll(/../g, (pair) => String.fromCharCode(Number.parseInt(pair, 16))));
}
