import { afterAll, describe, expect, test } from "vitest";
import type { Config } from "../../connectors/http/config.ts";
import { httpSource } from "../../connectors/http/pull.ts";
import type { Page } from "../../src/ports/connector.ts";
import {
  drain,
  firstPage,
  httpStatusContract,
  RECEIVED,
  sourceContract,
  testContext,
  withServer,
  type Answer,
} from "../contract/source.ts";
import { configOf, secretOf, vendor, type VendorEvent } from "./http-world.ts";

const MINUTE = 60_000;
const events = (count: number, step = MINUTE, end = RECEIVED): VendorEvent[] =>
  Array.from({ length: count }, (_, index) => {
    const time = end - (count - index) * step;
    return { id: `e${index}`, time, visible: time };
  });
const ids = (pages: readonly Page[]): string[] => pages.flatMap((page) => page.records.map(({ record }) => (record as { id: string }).id));

const window = { fromParam: "since", toParam: "until", format: "epoch_ms", backfill: "2h", overlap: "5m", max: "30m" };
const WAYS: readonly (readonly [string, object])[] = [
  ["cursor", { paging: { type: "cursor", param: "after", path: "next" } }],
  ["next_link in the body", { paging: { type: "next_link", path: "links.next" } }],
  ["next_link in the header", { paging: { type: "next_link" } }],
  ["page", { paging: { type: "page", size: 3 } }],
  ["page without a size", { paging: { type: "page" } }],
  ["windows with cursors", { paging: { type: "cursor", param: "after", path: "next" }, window }],
  ["windows with pages", { paging: { type: "page" }, window }],
  ["windows with links", { paging: { type: "next_link" }, window }],
];

// One server for all: cursors hold its address.
let close = (): void => {};
const base = new Promise<string>((ready, fail) => {
  const open = async (address: string): Promise<void> => {
    ready(address);
    await new Promise<void>((done) => (close = done));
  };
  withServer(vendor(events(20), () => RECEIVED).answer, open).catch(fail);
});
afterAll(() => close());

for (const [title, more] of WAYS) {
  sourceContract(`http, ${title}`, async () => ({ source: httpSource(configOf(await base, more)), context: testContext(), records: 20 }));
}

httpStatusContract(
  "http",
  (base) => httpSource(configOf(base, { auth: { type: "bearer", token: secretOf("hush-hush") }, query: { key: secretOf("hush-hush") } })),
  "hush-hush",
);

describe("http, time windows", () => {
  const run = async (
    list: readonly VendorEvent[],
    more: object,
    times: readonly number[],
  ): Promise<{ seen: string[]; pages: Page[]; asked: URL[] }> => {
    let now = RECEIVED;
    const world = vendor(list, () => now);
    return await withServer(world.answer, async (base) => {
      const source = httpSource(configOf(base, { paging: { type: "cursor", param: "after", path: "next" }, window, ...more }));
      const context = testContext({ now: () => now });
      const pages: Page[] = [];
      for (const time of times) {
        now = time;
        pages.push(...(await drain(source, context, pages.at(-1)?.next ?? null)));
      }
      return { seen: ids(pages), pages, asked: world.asked.map(({ url }) => url) };
    });
  };
  test("windows follow each other without a gap up to now minus the lag, and prove it", async () => {
    const { seen, pages, asked } = await run(events(100), {}, [RECEIVED, RECEIVED + MINUTE]);
    expect(seen.toSorted()).toEqual(
      events(100)
        .map(({ id }) => id)
        .toSorted(),
    );
    const spans = asked.map((url) => [Number(url.searchParams.get("since")), Number(url.searchParams.get("until"))] as const);
    expect(spans[0]?.[0]).toBe(RECEIVED - MINUTE - 120 * MINUTE);
    expect(spans.at(-1)?.[1]).toBe(RECEIVED);
    for (const [index, [from]] of spans.entries()) if (index > 0) expect(from).toBeLessThanOrEqual(spans[index - 1]?.[1] ?? 0);
    expect(pages.at(-1)?.completeTo).toBe(RECEIVED);
    const proven = pages.flatMap(({ completeTo }) => completeTo ?? []);
    expect(proven).toEqual(proven.toSorted((a, b) => a - b));
  });
  test("a record that becomes visible late is found within the overlap, and none comes twice", async () => {
    const late = { id: "late", time: RECEIVED - 4 * MINUTE, visible: RECEIVED + 30_000 };
    const { seen } = await run([...events(30), late], {}, [RECEIVED, RECEIVED + MINUTE, RECEIVED + 2 * MINUTE]);
    expect(seen.filter((id) => id === "late")).toHaveLength(1);
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toHaveLength(31);
  });
  test("a clock that stands still or runs back asks for nothing and loses nothing", async () => {
    const recent = { id: "recent", time: RECEIVED - 30_000, visible: 0 };
    const times = [RECEIVED, RECEIVED, RECEIVED - MINUTE, RECEIVED + MINUTE];
    const { seen, asked } = await run([...events(5), recent], { window: { ...window, overlap: "0s" } }, times);
    expect(seen).toHaveLength(6);
    expect(asked.every((url) => Number(url.searchParams.get("since")) < Number(url.searchParams.get("until")))).toBe(true);
  });
  test.each([
    ["rfc3339", "2026-12-30T21:59:00.000Z"],
    ["epoch_s", String((RECEIVED - 121 * MINUTE) / 1000)],
  ])("times as %s", async (format, expected) => {
    const { asked } = await run([], { window: { ...window, format } }, [RECEIVED]);
    expect(asked[0]?.searchParams.get("since")).toBe(expected);
  });
});

describe("http, chains without windows", () => {
  test("new records are found where the chain ended", async () => {
    const list = events(7);
    await withServer(vendor(list, () => RECEIVED).answer, async (base) => {
      for (const [, more] of WAYS.slice(0, 5)) {
        const source = httpSource(configOf(base, more));
        const first = await drain(source, testContext());
        list.push(
          ...events(4, 1, RECEIVED + list.length).map((event, index) => ({ ...event, id: `new${index}-${list.length}`, visible: 0 })),
        );
        const second = await drain(source, testContext(), first.at(-1)?.next ?? null);
        expect(ids(second)).toHaveLength(4);
        expect(new Set([...ids(first), ...ids(second)]).size).toBe(list.length);
      }
    });
  });
  test("a vendor that always gives another cursor is not asked for ever", async () => {
    let asked = 0;
    const answer: Answer = (_, response) =>
      response.end(JSON.stringify({ data: { items: asked < 3 ? [{ id: String(asked) }] : [] }, next: String(++asked) }));
    await withServer(answer, async (base) => {
      const source = httpSource(configOf(base, { paging: { type: "cursor", param: "after", path: "next" } }));
      const pages = await drain(source, testContext(), null, 10);
      expect(ids(pages)).toEqual(["0", "1", "2"]);
      expect(pages.at(-1)).toMatchObject({ more: false, completeTo: RECEIVED - MINUTE });
    });
  });
});

describe("http, what travels", () => {
  const once = async (more: object, answer?: Answer): Promise<{ asked: ReturnType<typeof vendor>["asked"]; page: Page }> => {
    const world = vendor(events(5), () => RECEIVED);
    return await withServer(answer ?? world.answer, async (base) => ({
      page: await firstPage(httpSource(configOf(base, more)), testContext()),
      asked: world.asked,
    }));
  };
  test.each([
    [{ type: "bearer", token: secretOf("t0k") }, "authorization", "Bearer t0k"],
    [{ type: "basic", username: "ü", password: secretOf("p:w") }, "authorization", `Basic ${Buffer.from("ü:p:w").toString("base64")}`],
    [{ type: "header", name: "X-Api-Key", value: secretOf("k3y") }, "x-api-key", "k3y"],
  ])("credential %#", async (auth, name, value) => {
    const { asked } = await once({ auth });
    expect(asked[0]?.headers[name]).toBe(value);
  });
  test("headers, query and body", async () => {
    const { asked } = await once({
      method: "POST",
      headers: { "X-Tenant": "acme" },
      query: { v: "2" },
      body: { filter: "all" },
      paging: { type: "page", sizeParam: "limit", size: 3 },
    });
    expect(asked[0]?.headers["x-tenant"]).toBe("acme");
    expect(asked[0]?.url.search).toBe("?v=2");
    expect(JSON.parse(asked[0]?.body ?? "")).toEqual({ filter: "all", page: 1, limit: 3 });
  });
  test("a secret in the query reaches every page, and neither the cursor nor a record's place", async () => {
    const world = vendor(events(5), () => RECEIVED);
    await withServer(world.answer, async (base) => {
      const source = httpSource(configOf(base, { query: { key: secretOf("hush-hush") }, paging: { type: "next_link" } }));
      const pages = await drain(source, testContext());
      expect(world.asked.map(({ url }) => url.searchParams.get("key"))).toEqual(["hush-hush", "hush-hush"]);
      expect(JSON.stringify(pages)).not.toContain("hush-hush");
    });
  });
  test("a link to another host is never followed", async () => {
    const answer: Answer = (_, response) => response.setHeader("link", '<https://evil.example/>; rel="next"').end('{"data":{"items":[]}}');
    await expect(once({ paging: { type: "next_link" } }, answer)).rejects.toMatchObject({ kind: "permanent", code: "HTTP_WRONG_HOST" });
  });
  test.each([
    ["{}", "data.items", "HTTP_MALFORMED"],
    ['{"data":{"items":7}}', "data.items", "HTTP_MALFORMED"],
    ['{"data":1}', "", "HTTP_MALFORMED"],
  ])("an answer %s without a list at %j is a failure, not an empty page", async (body, records, code) => {
    await expect(once({ records }, (_, response) => response.end(body))).rejects.toMatchObject({ code });
  });
  test("null is an empty list, and a missing one when the configuration says so", async () => {
    expect((await once({}, (_, response) => response.end('{"data":{"items":null}}'))).page.records).toEqual([]);
    expect((await once({ emptyWhenMissing: true }, (_, response) => response.end("{}"))).page.records).toEqual([]);
  });
});

describe("http, OAuth 2.0 client credentials", () => {
  const world = (lives: readonly string[]): { answer: Answer; tokens: string[]; forms: string[]; basics: (string | undefined)[] } => {
    const state = { tokens: [] as string[], forms: [] as string[], basics: [] as (string | undefined)[] };
    const answer: Answer = (request, response) => {
      let body = "";
      request.on("data", (chunk: Buffer) => (body += chunk.toString()));
      request.on("end", () => {
        if (request.url === "/token") {
          state.forms.push(body);
          state.basics.push(request.headers.authorization);
          response.setHeader("content-type", "application/json");
          response.end(JSON.stringify({ access_token: `t${state.forms.length}`, expires_in: 3600, token_type: "Bearer" }));
          return;
        }
        state.tokens.push(request.headers.authorization ?? "");
        const good = lives.includes(request.headers.authorization ?? "");
        response.writeHead(good ? 200 : 401).end('{"data":{"items":[]}}');
      });
    };
    return { answer, ...state };
  };
  const options = (base: string, send = "header"): Config =>
    configOf(base, {
      auth: { type: "oauth2", tokenUrl: `${base}/token`, clientId: "c:1", clientSecret: secretOf("s/2"), scope: "logs.read", send },
    });

  test("one token serves many pulls until it ends", async () => {
    const { answer, tokens, forms, basics } = world(["Bearer t1", "Bearer t2"]);
    await withServer(answer, async (base) => {
      let now = RECEIVED;
      const context = testContext({ now: () => now });
      const source = httpSource(options(base));
      await firstPage(source, context);
      now += 50 * MINUTE;
      await firstPage(source, context);
      now += 10 * MINUTE;
      await firstPage(source, context);
      expect(tokens).toEqual(["Bearer t1", "Bearer t1", "Bearer t2"]);
      expect(forms[0]).toBe("grant_type=client_credentials&scope=logs.read");
      expect(basics[0]).toBe(`Basic ${Buffer.from("c%3A1:s%2F2").toString("base64")}`);
    });
  });
  test("id and secret travel in the body when asked to", async () => {
    const { answer, forms, basics } = world(["Bearer t1"]);
    await withServer(answer, async (base) => {
      await firstPage(httpSource(options(base, "body")), testContext());
      expect(new URLSearchParams(forms[0]).get("client_secret")).toBe("s/2");
      expect(basics[0]).toBeUndefined();
    });
  });
  test("a kept token that is refused is replaced by the next pull; a new one that is refused stops the source", async () => {
    const lives = ["Bearer t1"];
    const { answer } = world(lives);
    await withServer(answer, async (base) => {
      const source = httpSource(options(base));
      await firstPage(source, testContext());
      lives[0] = "Bearer t2";
      await expect(firstPage(source, testContext())).rejects.toMatchObject({ kind: "retryable", code: "HTTP_DENIED" });
      await firstPage(source, testContext());
      lives.length = 0;
      await expect(firstPage(source, testContext())).rejects.toMatchObject({ kind: "retryable", code: "HTTP_DENIED" });
      await expect(firstPage(source, testContext())).rejects.toMatchObject({ kind: "permanent", code: "HTTP_DENIED" });
    });
  });
  test.each([
    [400, { error: "invalid_client" }, "permanent", "HTTP_DENIED"],
    [401, {}, "permanent", "HTTP_DENIED"],
    [503, {}, "retryable", "HTTP_UNAVAILABLE"],
    [200, { token: "x" }, "retryable", "HTTP_MALFORMED"],
    [200, "access_token=x", "retryable", "HTTP_MALFORMED"],
    [200, { access_token: "x".repeat(70_000) }, "permanent", "HTTP_MALFORMED"],
  ])("a token endpoint that answers %i", async (status, body, kind, code) => {
    const answer: Answer = (_, response) =>
      response.writeHead(status, { "content-type": "application/json" }).end(typeof body === "string" ? body : JSON.stringify(body));
    await withServer(answer, async (base) => {
      const failure: unknown = await firstPage(httpSource(options(base)), testContext()).catch((error: unknown) => error);
      expect(failure).toMatchObject({ kind, code, scope: "connector" });
      expect(String(failure)).not.toContain("s/2");
    });
  });
});
