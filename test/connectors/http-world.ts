/** A small vendor on this machine whose events become visible late, with every way of paging. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { config, type Config } from "../../connectors/http/config.ts";
import type { Secret } from "../../src/ports/context.ts";
import type { Answer } from "../contract/source.ts";

/** A secret as the configuration gives it. */
export const secretOf = (value: string): Secret => ({ reveal: () => value });

/** One event of the vendor. */
export interface VendorEvent {
  readonly id: string;
  readonly time: number;
  /** When the API begins to show it. */
  readonly visible: number;
}

/** What the vendor was asked. */
export interface Asked {
  readonly url: URL;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** The vendor. `now` is its clock. */
export function vendor(events: readonly VendorEvent[], now: () => number, size = 3): { readonly answer: Answer; readonly asked: Asked[] } {
  const asked: Asked[] = [];
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      const url = new URL(request.url ?? "/", `http://${request.headers.host}`);
      asked.push({ url, headers: request.headers, body });
      const { items, next } = page(events, url.searchParams, now(), size);
      const link = new URL(url);
      link.searchParams.set("after", String(next));
      if (next !== undefined) response.setHeader("link", `<${link.href}>; rel="next"`);
      response.end(
        JSON.stringify({
          data: { items },
          next: next === undefined ? null : String(next),
          links: { next: next === undefined ? null : link.href },
        }),
      );
    });
  };
  return { answer, asked };
}

function page(
  events: readonly VendorEvent[],
  query: URLSearchParams,
  now: number,
  size: number,
): { items: object[]; next: number | undefined } {
  const number = (name: string): number => Number(query.get(name) ?? Number.NaN);
  const from = number("since");
  const to = number("until");
  const shown = events
    .filter((event) => event.visible <= now && !(event.time < from) && !(event.time > to))
    .toSorted((a, b) => a.time - b.time || a.visible - b.visible);
  const start = query.has("page") ? (number("page") - 1) * size : query.has("after") ? number("after") : 0;
  const items = shown.slice(start, start + size).map(({ id, time }) => ({ id, created_at: new Date(time).toISOString() }));
  return { items, next: start + size < shown.length ? start + size : undefined };
}

/** A valid configuration for the vendor. */
export function configOf(base: string, more: object = {}): Config {
  return config.parse({
    url: `${base}/v1/events`,
    records: "data.items",
    map: { category: "agent_api", vendor: "Acme", product: "Agent Cloud", time: "created_at", uid: ["id"] },
    ...more,
  });
}
