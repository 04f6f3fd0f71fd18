/** One request of a generic pull, from the configuration and the state. */
import { insecureUrl, pinnedUrl, type HttpCall } from "../../src/archetypes/http-pages.ts";
import { Failure } from "../../src/core/errors.ts";
import type { EpochMs } from "../../src/core/event.ts";
import type { Secret } from "../../src/ports/context.ts";
import type { Config } from "./config.ts";
import type { PullState } from "./cursor.ts";

/** The request of the state's page, without credentials of `auth`. @throws {Failure} HTTP_WRONG_HOST for a link that strays */
export function callOf(config: Config, state: PullState): HttpCall {
  const { paging } = config;
  const link = paging.type === "next_link" && typeof state.next === "string" ? pinnedUrl(state.next, config.url) : undefined;
  const url = new URL(link ?? config.url);
  const problem = insecureUrl(url.href);
  if (problem !== undefined) throw new Failure(`the address is not safe: ${problem}`, { kind: "config", code: "CONFIG_INVALID" });
  const parameters = link === undefined ? parametersOf(config, state) : new Map<string, string | number>();
  for (const [name, value] of Object.entries(config.query)) {
    // A link has what it needs, but the secrets that were taken out of it before it became a cursor.
    if (link === undefined || typeof value !== "string") url.searchParams.set(name, reveal(value));
  }
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(config.headers)) headers[name.toLowerCase()] = reveal(value);
  if (config.method === "GET" || config.body === undefined) {
    for (const [name, value] of parameters) url.searchParams.set(name, String(value));
    return { url: url.href, method: config.method, headers };
  }
  const body = JSON.stringify({ ...config.body, ...Object.fromEntries(parameters) });
  return { url: url.href, method: "POST", headers: { "content-type": "application/json", ...headers }, body };
}

function reveal(value: string | Secret): string {
  return typeof value === "string" ? value : value.reveal();
}

function parametersOf({ window, paging }: Config, state: PullState): Map<string, string | number> {
  const parameters = new Map<string, string | number>();
  if (window !== undefined && state.from !== null && state.to !== null) {
    parameters.set(window.fromParam, timeText(state.from, window.format, Math.floor));
    if (window.toParam !== undefined) parameters.set(window.toParam, timeText(state.to, window.format, Math.ceil));
  }
  if (paging.type === "cursor" && state.next !== null) parameters.set(paging.param, state.next);
  if (paging.type === "page") {
    parameters.set(paging.param, state.next ?? paging.first);
    if (paging.sizeParam !== undefined && paging.size !== undefined) parameters.set(paging.sizeParam, paging.size);
  }
  return parameters;
}

/** `round`: whole seconds reach beyond the window at both ends, never short of it. */
function timeText(time: EpochMs, format: "rfc3339" | "epoch_s" | "epoch_ms", round: (seconds: number) => number): string | number {
  if (format === "epoch_ms") return time;
  return format === "epoch_s" ? round(time / 1000) : new Date(time).toISOString();
}

/** The link without the parameters whose values are secrets, as it may be stored. */
export function storableLink(link: string, { url, query }: Config): string {
  const clean = new URL(pinnedUrl(link, url));
  for (const [name, value] of Object.entries(query)) if (typeof value !== "string") clean.searchParams.delete(name);
  return clean.href;
}
