/**
 * What every source must keep, as one suite; `normalizer.ts` has the suite of normalizers.
 *
 *     sourceContract("tail of a file", async () => ({ source, context, records: 3 }));
 *     httpStatusContract("okta", (base) => okta.source(config(base)), "the token");
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import { hmacSha256, sha256 } from "../../src/adapters/system/system.ts";
import { Failure } from "../../src/core/errors.ts";
import type { Cursor, Page, Source } from "../../src/ports/connector.ts";
import type { Context, Files } from "../../src/ports/context.ts";
import { testClient } from "../fixtures/http.ts";
import { RECEIVED } from "./normalizer.ts";

export { normalizeContext, normalizerContract, RECEIVED } from "./normalizer.ts";

/** A context for sources: a clock that tests move, the real HTTP client as the service configures it, no files. */
export function testContext(parts: { readonly files?: Files; readonly now?: () => number } = {}): Context & { readonly logged: string[] } {
  const logged: string[] = [];
  const note = (fields: unknown, message: string): void => void logged.push(`${message} ${JSON.stringify(fields)}`);
  return {
    clock: { now: parts.now ?? (() => RECEIVED) },
    http: testClient(),
    files: parts.files ?? { list: async () => [], read: async () => ({ bytes: new Uint8Array(0), end: true }) },
    digest: { sha256, hmacSha256 },
    connect: () => Promise.reject(new Error("a source has no business with sockets")),
    log: { debug: note, info: note, warn: note, error: note },
    random: () => 0.5,
    signal: new AbortController().signal,
    logged,
  };
}

/** Pulls until there is no more; fails after `pagesMax`, so that a source that never ends fails a test instead of hanging it. */
export async function drain(source: Source, context: Context, from: Cursor | null = null, pagesMax = 1000): Promise<Page[]> {
  const pages: Page[] = [];
  for (let cursor = from; pages.length < pagesMax;) {
    const page = await source.pull(cursor, context);
    pages.push(page);
    if (!page.more) return pages;
    cursor = page.next;
  }
  throw new Error(`more than ${pagesMax} pages`);
}

/** The first page that the vendor was asked for: the one before it may only say where to begin. */
export async function firstPage(source: Source, context: Context): Promise<Page> {
  const page = await source.pull(null, context);
  return page.more && page.records.length + page.rejects.length === 0 ? await source.pull(page.next, context) : page;
}

/** A source in a world of its own that does not change during the test. `records`: how many it holds. */
export interface SourceWorld {
  readonly source: Source;
  readonly context: Context;
  readonly records: number;
}

/** The promises of `Source.pull`. `open` is called once per test. */
export function sourceContract(title: string, open: () => Promise<SourceWorld>): void {
  const texts = (pages: readonly Page[]): string[] => pages.flatMap((page) => page.records.map(({ record }) => JSON.stringify(record)));
  describe(`${title}: source contract`, () => {
    test("gives every record once, with places, cursors of at most 4 KiB and an end", async () => {
      const { source, context, records } = await open();
      const pages = await drain(source, context);
      expect(texts(pages)).toHaveLength(records);
      const positions = pages.flatMap((page) => page.records.map(({ position }) => position));
      expect(positions.every((position) => position.length > 0 && position.length <= 4096)).toBe(true);
      for (const page of pages) expect(Buffer.byteLength(page.next)).toBeLessThanOrEqual(4096);
    });
    test("the same cursor may be pulled again and gives at least the same records", async () => {
      const { source, context } = await open();
      const pages = await drain(source, context);
      const cursors = [null, ...pages.map((page) => page.next)];
      for (const [index, page] of pages.entries()) {
        const again = await source.pull(cursors[index] ?? null, context);
        expect(texts([again])).toEqual(expect.arrayContaining(texts([page])));
      }
    });
    test("a new start at any page gives the same rest", async () => {
      const { source, context } = await open();
      const pages = await drain(source, context);
      for (const [index, page] of pages.entries()) {
        if (!page.more) continue;
        const fresh = await open();
        const rest = await drain(fresh.source, context, page.next);
        expect(texts(rest)).toEqual(expect.arrayContaining(texts(pages.slice(index + 1))));
      }
    });
    test("pulling again at the end gives nothing that would be new", async () => {
      const { source, context } = await open();
      const pages = await drain(source, context);
      const known = new Set(texts(pages));
      const after = await drain(source, context, pages.at(-1)?.next ?? null);
      expect(texts(after).filter((record) => !known.has(record))).toEqual([]);
    });
    test("completeTo and readTo never lie after the present", async () => {
      const { source, context } = await open();
      for (const { completeTo, readTo } of await drain(source, context))
        for (const time of [completeTo, readTo ?? null]) if (time !== null) expect(time).toBeLessThanOrEqual(context.clock.now());
    });
    test.each(["", "x", "{}", "[]", "null", "1", '{"v":99}', "\u0000"])(
      "a cursor that is not its own (%j) is a failure or a new start, never another throw",
      async (cursor) => {
        const { source, context } = await open();
        const outcome = await source.pull(cursor, context).then(
          (page) => page.records.length >= 0,
          (error: unknown) => error instanceof Failure && error.code === "CURSOR_INVALID",
        );
        expect(outcome).toBe(true);
      },
    );
  });
}

/** Answers of a small vendor on this machine. */
export type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** Runs `use` against a server that answers so; gives its base URL. */
export async function withServer<T>(answer: Answer, use: (base: string) => Promise<T>): Promise<T> {
  const server = createServer((request, response) => {
    // The machine's own date is not that of a test's clock; an answer may set its own.
    response.sendDate = false;
    answer(request, response);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  try {
    return await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
}

const STATUSES: readonly (readonly [number, string, string])[] = [
  ...([300, 301, 302, 307, 308, 400, 402, 404, 405, 409, 410, 413, 415, 422, 451] as const).map(
    (s) => [s, "permanent", "HTTP_REJECTED"] as const,
  ),
  ...([401, 403] as const).map((s) => [s, "permanent", "HTTP_DENIED"] as const),
  ...([425, 500, 501, 502, 503, 504, 529] as const).map((s) => [s, "retryable", "HTTP_UNAVAILABLE"] as const),
  [408, "retryable", "HTTP_TIMEOUT"],
  [429, "retryable", "HTTP_THROTTLED"],
];

/** How an HTTP source must read every status, broken answers and a server that is not there; no secret may show. */
export function httpStatusContract(title: string, open: (base: string) => Source, secret: string): void {
  const pullOnce = async (answer: Answer): Promise<Failure> =>
    withServer(answer, async (base) => {
      const context = testContext();
      const failure = await firstPage(open(base), context).then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(failure).toBeInstanceOf(Failure);
      expect(`${String(failure)} ${(failure as Failure).stack} ${context.logged.join()}`).not.toContain(secret);
      return failure as Failure;
    });
  describe(`${title}: HTTP statuses`, () => {
    test.each(STATUSES)("%i is %s %s", async (status, kind, code) => {
      const failure = await pullOnce((_, response) => response.writeHead(status, { location: "http://127.0.0.1:1/" }).end("{}"));
      expect({ kind: failure.kind, code: failure.code, scope: failure.scope }).toEqual({ kind, code, scope: "connector" });
    });
    test("Retry-After is passed on", async () => {
      const failure = await pullOnce((_, response) => response.writeHead(429, { "retry-after": "7" }).end());
      expect(failure.retryAfterMs).toBe(7000);
    });
    test.each(["", "<html>", '{"a":', "[1,"])("a 200 with the body %j is HTTP_MALFORMED", async (body) => {
      const failure = await pullOnce((_, response) => response.end(body));
      expect(failure.code).toBe("HTTP_MALFORMED");
    });
    test("a broken connection is retryable", async () => {
      const failure = await pullOnce((request) => request.socket.destroy());
      expect({ kind: failure.kind, code: failure.code }).toEqual({ kind: "retryable", code: "HTTP_UNREACHABLE" });
    });
  });
}
