import type { Config } from "./config.ts";
import { isSecret } from "./secrets.ts";

/** Where the configured store lies, as the store's adapter takes it; secrets are read now. */
export function storeLocation(
  config: Config,
): { readonly kind: "pglite"; readonly dataDir: string } | { readonly kind: "postgres"; readonly url: string } {
  return config.store === "embedded" ? { kind: "pglite", dataDir: config.data } : { kind: "postgres", url: reveal(config.store) };
}

/** Where the configured queue lies; `pool` is the store's own database. */
export function queueLocation<P>(
  config: Config,
  pool: P,
): { readonly kind: "postgres"; readonly pool: P } | { readonly kind: "redis"; readonly url: string } {
  return config.queue === "store" ? { kind: "postgres", pool } : { kind: "redis", url: reveal(config.queue) };
}

function reveal(value: Config["store"]): string {
  return isSecret(value) ? value.reveal() : String(value);
}
