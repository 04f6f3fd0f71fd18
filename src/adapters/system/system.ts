import { createHash, createHmac, randomBytes, randomUUID } from "node:crypto";
import { v5 } from "uuid";
import type { Clock } from "../../ports/context.ts";

/** Namespace of every id that Custodes makes (`semantics.md` section 8). */
const NAMESPACE = "6f0d4e2a-5c1b-5e0e-9a55-c05705e5a1e7";

/** The wall clock. */
export const systemClock: Clock = { now: () => Date.now() };

/** A fresh UUIDv4. */
export function uuid(): string {
  return randomUUID();
}

/** Lower-case hex SHA-256 of the UTF-8 text. */
export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Lower-case hex HMAC-SHA-256 of bytes under a shared secret. */
export function hmacSha256(key: string | Uint8Array, body: Uint8Array): string {
  return createHmac("sha256", key).update(body).digest("hex");
}

/** A digest, lower-case hex HMAC-SHA-256, under a key that nobody can guess and that is new at every call. */
export function secretDigest(): (text: string) => string {
  const key = randomBytes(32);
  return (text) => createHmac("sha256", key).update(text).digest("hex");
}

/** UUIDv5 of a name in the Custodes namespace. */
export function uuid5(name: string): string {
  return v5(name, NAMESPACE);
}
