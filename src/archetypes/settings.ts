/** Kinds of settings that several connectors have, so that they read, fail and are documented alike. */
import { z } from "zod";
import type { Secret } from "../ports/context.ts";

/** A value that must be a secret reference; the loader has made a Secret of it before. */
export const secret = z.custom<Secret>(
  (value) => typeof value === "object" && value !== null && "reveal" in value && typeof value.reveal === "function",
  "must be a reference: ${env:NAME}, ${file:/path/to/secret} or ${vault:mount/path#key}",
);

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A duration such as `500ms`, `30s`, `5m`, `24h` or `7d`; parsed to milliseconds. */
export const duration = z
  .string()
  .regex(/^\d{1,9}(ms|s|m|h|d)$/, "write a duration as a number and a unit: 500ms, 30s, 5m, 24h, 7d")
  .transform((text) => Number.parseInt(text, 10) * (UNITS[text.replace(/^\d+/, "")] ?? 1));

/** Hosts of this machine, to which plain HTTP is safe. */
export const LOCAL_HOSTS: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** An http or https address without credentials, query and final slash. `example` stands in the complaint. */
export function serverUrl(example: string): z.ZodType<string, string> {
  return z.string().transform((text, context) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    const http = url?.protocol === "https:" || url?.protocol === "http:";
    if (url === undefined || !http || url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
      context.addIssue({ code: "custom", message: `must be an address such as ${example}, without credentials` });
      return z.NEVER;
    }
    return url.href.replace(/\/$/, "");
  });
}

/** A retention in whole days such as `90d`, at most ten years; kept as text, which is how lifecycles write it. */
export const days = z
  .string()
  .regex(/^[1-9]\d{0,3}d$/, "write a retention as whole days: 90d")
  .refine((text) => Number.parseInt(text, 10) <= 3_660, "must be at most 3660d");
