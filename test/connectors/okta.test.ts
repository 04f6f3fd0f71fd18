import { afterEach, describe, expect, test } from "vitest";
import okta from "../../connectors/okta/okta.ts";
import { rateLimitWait } from "../../connectors/okta/pull.ts";
import type { Config } from "../../connectors/okta/config.ts";
import { fixedSecret } from "../../src/config/secrets.ts";
import type { Event } from "../../src/core/event.ts";
import { oktaSimulator, type OktaLogEvent, type OktaSimulator } from "../../src/simulators/okta.ts";
import {
  drain,
  firstPage,
  httpStatusContract,
  normalizeContext,
  normalizerContract,
  RECEIVED,
  sourceContract,
  testContext,
  withServer,
} from "../contract/source.ts";

const TOKEN = "00aVerySecretOktaToken";
const AUTHORIZATION = `SSWS ${TOKEN}`;

const config = (url: string, more: Record<string, unknown> = {}): Config =>
  okta.config.parse({ url, apiToken: fixedSecret(TOKEN), backfill: "30d", ...more });

const logEvent = (index: number, published = RECEIVED - 3_600_000 + index * 10): OktaLogEvent => ({
  uuid: `e${index}`,
  published: new Date(published).toISOString(),
  eventType: "user.session.start",
  actor: { id: "00u1", type: "User", alternateId: "a@acme.example" },
  outcome: { result: "SUCCESS" },
});

const open: OktaSimulator[] = [];
afterEach(async () => {
  for (const simulator of open.splice(0)) await simulator.close();
});
async function organization(events: readonly OktaLogEvent[], perMinute = 1000): Promise<OktaSimulator> {
  const simulator = await oktaSimulator({ authorization: AUTHORIZATION, events, perMinute, now: () => RECEIVED });
  open.push(simulator);
  return simulator;
}
const source = (url: string, more?: Record<string, unknown>) => okta.source!(config(url, more));
const uuids = (pages: readonly { readonly records: readonly { readonly record: unknown }[] }[]): string[] =>
  pages.flatMap((page) => page.records.map(({ record }) => (record as OktaLogEvent).uuid));
const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

normalizerContract({ connector: okta, samples: "connectors/okta/samples", secrets: ["hunter2-never-shown"] });

sourceContract("okta", async () => {
  const { url } = await organization(Array.from({ length: 2345 }, (_, index) => logEvent(index)));
  return { source: source(url), context: testContext(), records: 2345 };
});

httpStatusContract("okta", (base) => source(base), TOKEN);

describe("okta: polling", () => {
  test("asks in polling mode: ascending, from the backfill, never until", async () => {
    const simulator = await organization([logEvent(1)]);
    await drain(source(simulator.url, { backfill: "2h" }), testContext());
    const [first] = simulator.asked();
    expect(first).toContain("sortOrder=ASCENDING");
    expect(first).toContain("limit=1000");
    expect(first).not.toContain("until");
    expect(decodeURIComponent(first ?? "")).toContain(`since=${new Date(RECEIVED - 7_200_000).toISOString()}`);
  });
  test("a page that is not full ends the pull without another request", async () => {
    const simulator = await organization(Array.from({ length: 1500 }, (_, index) => logEvent(index)));
    const pages = await drain(source(simulator.url), testContext());
    expect(pages.map((page) => page.records.length)).toEqual([0, 1000, 500]);
    expect(simulator.requests()).toBe(2);
  });
  test("where it begins is stored before the first answer, so that a long outage at the first start takes nothing from the backfill", async () => {
    const simulator = await organization([logEvent(1, RECEIVED - 1_800_000)]);
    const pulled = source(simulator.url, { backfill: "1h" });
    const begin = await pulled.pull(null, testContext());
    expect(begin).toMatchObject({ records: [], rejects: [], more: true, completeTo: null });
    expect(simulator.requests()).toBe(0);
    simulator.fault({ status: 503 });
    const later = testContext({ now: () => RECEIVED + 7_200_000 });
    expect(await failureOf(pulled.pull(begin.next, later))).toMatchObject({ kind: "retryable" });
    expect(uuids(await drain(pulled, later, begin.next))).toEqual(["e1"]);
  });
  test("an empty page proves the present less the settling time; a short one proves its newest event", async () => {
    const simulator = await organization([logEvent(0, RECEIVED - 5000)]);
    const pulled = source(simulator.url, { settle: "30s" });
    const short = await firstPage(pulled, testContext());
    expect(short).toMatchObject({ more: false, completeTo: RECEIVED - 5000 - 30_000 });
    const empty = await pulled.pull(short.next, testContext());
    expect(empty).toMatchObject({ records: [], more: false, completeTo: RECEIVED - 30_000 });
  });
  test("a full page proves nothing", async () => {
    const simulator = await organization(Array.from({ length: 1001 }, (_, index) => logEvent(index)));
    const page = await firstPage(source(simulator.url), testContext());
    expect(page).toMatchObject({ more: true, completeTo: null });
  });
  test("an event that is stored late, with an earlier time, is not missed", async () => {
    const simulator = await organization([logEvent(1), logEvent(2)]);
    const pulled = source(simulator.url);
    const first = await drain(pulled, testContext());
    simulator.add([logEvent(3, RECEIVED - 7_200_000), logEvent(4)]);
    const second = await drain(pulled, testContext(), first.at(-1)?.next);
    expect(uuids(second)).toEqual(["e3", "e4"]);
  });
  test("the cursor holds no host, and a restart with another address of the organization goes on", async () => {
    const events = Array.from({ length: 1500 }, (_, index) => logEvent(index));
    const one = await organization(events);
    const page = await firstPage(source(one.url), testContext());
    expect(page.next).not.toMatch(/https?:|127\.0\.0\.1|localhost/);
    const other = await organization(events);
    expect(uuids(await drain(source(other.url), testContext(), page.next))).toHaveLength(500);
  });
  test("the limit that Okta announces is waited for, by Okta's clock", async () => {
    const simulator = await organization([], 0);
    const failure = await failureOf(firstPage(source(simulator.url), testContext({ now: () => RECEIVED + 3_000_000 })));
    expect(failure).toMatchObject({ kind: "retryable", code: "HTTP_THROTTLED", retryAfterMs: 60_000 });
  });
  test.each([
    [{ "x-rate-limit-reset": "1798675260" }, 1_798_675_200_000, 60_000],
    [{ "x-rate-limit-reset": "1798675260", date: "Thu, 31 Dec 2026 00:00:30 GMT" }, 0, 30_000],
    [{ "x-rate-limit-reset": "1798675200" }, 1_798_675_290_000, 1000],
    [{ "x-rate-limit-reset": "99999999999" }, 1_798_675_200_000, 98_201_324_799_000],
    [{ "x-rate-limit-reset": "soon" }, 0, undefined],
    [{}, 0, undefined],
  ])("headers %j at %i ask for %s ms", (headers, now, wait) => {
    expect(rateLimitWait(headers, now)).toBe(wait);
  });
  test("a next link to another host is refused, and the token never goes there", async () => {
    await withServer(
      (_, response) => response.writeHead(200, { link: '<https://evil.example/api/v1/logs?after=1>; rel="next"' }).end("[]"),
      async (base) => {
        const failure = await failureOf(firstPage(source(base), testContext()));
        expect(failure).toMatchObject({ kind: "permanent", code: "HTTP_WRONG_HOST", scope: "connector" });
      },
    );
  });
  test("a next link to another path is refused", async () => {
    await withServer(
      (_, response) => response.writeHead(200, { link: '</api/v1/users?after=1>; rel="next"' }).end("[]"),
      async (base) => {
        expect(await failureOf(firstPage(source(base), testContext()))).toMatchObject({ code: "HTTP_MALFORMED" });
      },
    );
  });
  test("a cursor that would lead elsewhere is refused before anything is sent", async () => {
    const simulator = await organization([]);
    for (const cursor of [
      "//evil.example/api/v1/logs?",
      "/api/v1/logs",
      "/api/v1/users?x",
      "/api/v1/logs?\u0000",
      `/api/v1/logs?${"a".repeat(5000)}`,
    ]) {
      expect(await failureOf(source(simulator.url).pull(cursor, testContext()))).toMatchObject({
        code: "CURSOR_INVALID",
        kind: "permanent",
      });
    }
    expect(simulator.requests()).toBe(0);
  });
  test("an event with a hostile key is one reject, and the others of its page arrive", async () => {
    const hostile = JSON.parse('{"uuid":"x","published":"2026-12-30T23:30:00.000Z","__proto__":{"a":1}}') as OktaLogEvent;
    const { url } = await organization([logEvent(1), hostile, logEvent(2)]);
    const page = await firstPage(source(url), testContext());
    expect(page.rejects.map(({ code }) => code)).toEqual(["RECORD_FORBIDDEN_KEY"]);
    expect(uuids([page])).toEqual(["e1", "e2"]);
  });
  test("an answer that is not a list is no page", async () => {
    await withServer(
      (_, response) => response.end('{"errorCode":"E0000009"}'),
      async (base) => {
        expect(await failureOf(firstPage(source(base), testContext()))).toMatchObject({ code: "HTTP_MALFORMED", kind: "retryable" });
      },
    );
  });
  test("the token is read anew at each pull, so it can be replaced while running", async () => {
    let token = "old";
    const simulator = await organization([logEvent(1)]);
    const rotating = okta.source!({ ...config(simulator.url), apiToken: { reveal: () => token } });
    expect(await failureOf(firstPage(rotating, testContext()))).toMatchObject({
      code: "HTTP_DENIED",
      kind: "permanent",
      scope: "connector",
    });
    token = TOKEN;
    expect((await firstPage(rotating, testContext())).records).toHaveLength(1);
  });
});

describe("okta: configuration and check", () => {
  test.each([
    "http://acme.okta.com",
    "https://acme.okta.com/api",
    "https://user:pass@acme.okta.com",
    "acme.okta.com",
    "ftp://acme.okta.com",
  ])("the address %s is refused", (url) => {
    expect(okta.config.safeParse({ url, apiToken: fixedSecret("x") }).success).toBe(false);
  });
  test("a token in clear text is refused, and so is a backfill beyond Okta's retention", () => {
    expect(okta.config.safeParse({ url: "https://acme.okta.com", apiToken: "00abc" }).success).toBe(false);
    expect(okta.config.safeParse({ url: "https://acme.okta.com", apiToken: fixedSecret("x"), backfill: "91d" }).success).toBe(false);
  });
  test("check tells a good credential, a bad one and a host that is not there apart", async () => {
    const { url } = await organization([logEvent(1)]);
    const good = await okta.check(config(url), testContext());
    expect(good).toMatchObject([{ ok: true }]);
    const bad = await okta.check(config(url, { apiToken: fixedSecret("wrong") }), testContext());
    expect(bad).toMatchObject([{ ok: false, fix: expect.stringContaining("API token") }]);
    const gone = await okta.check(config("http://127.0.0.1:1"), testContext());
    expect(gone).toMatchObject([{ ok: false, fix: expect.stringContaining("url") }]);
    expect(JSON.stringify([good, bad, gone])).not.toContain(TOKEN);
  });
  test("a bearer token is sent as one", async () => {
    const simulator = await oktaSimulator({ authorization: "Bearer eyJ.x.y", events: [logEvent(1)], now: () => RECEIVED });
    open.push(simulator);
    const bearer = okta.source!(config(simulator.url, { apiToken: fixedSecret("eyJ.x.y"), scheme: "Bearer" }));
    expect((await firstPage(bearer, testContext())).records).toHaveLength(1);
  });
});

describe("okta: what a LogEvent becomes", () => {
  const normalize = okta.normalize!();
  const one = (log: Record<string, unknown>): Event => {
    const [event] = normalize({ ...logEvent(1), ...log }, normalizeContext("okta"));
    if (event === undefined) throw new Error("no event");
    return event;
  };
  test("a client is the agent's key, a person is not", () => {
    const client = one({ eventType: "app.oauth2.token.grant", actor: { id: "0oa1", type: "PublicClientApp", displayName: "bot" } });
    expect(client).toMatchObject({ clientUid: "0oa1", userTypeId: 4, category: "authentication" });
    expect(client.userUid).toBeUndefined();
    expect(one({ actor: { id: "00u1", type: "User" } })).toMatchObject({ userUid: "00u1", clientUid: undefined });
  });
  test.each([
    ["SUCCESS", 1],
    ["FAILURE", 2],
    ["DENY", 2],
    ["ALLOW", 1],
    ["CHALLENGE", 0],
    ["UNKNOWN", 0],
  ])("outcome %s is status %i", (result, status) => {
    expect(one({ outcome: { result } }).statusId).toBe(status);
  });
  test("a policy that allows is not yet a sign-in", () => {
    expect(one({ eventType: "policy.evaluate_sign_on", outcome: { result: "ALLOW" } }).statusId).toBe(0);
    expect(one({ eventType: "policy.evaluate_sign_on", outcome: { result: "DENY" } }).statusId).toBe(2);
  });
  test.each([
    ["user.session.start", "authentication", 3002, 1],
    ["user.session.end", "authentication", 3002, 2],
    ["app.oauth2.as.token.grant.access_token", "authentication", 3002, 3],
    ["app.oauth2.token.revoke", "authentication", 3002, 2],
    ["user.account.lock", "authentication", 3002, 99],
    ["user.lifecycle.create", "infra_change", 3001, 1],
    ["user.lifecycle.deactivate", "infra_change", 3001, 5],
    ["user.lifecycle.reactivate", "infra_change", 3001, 2],
    ["user.mfa.factor.deactivate", "infra_change", 3001, 11],
    ["user.account.privilege.grant", "infra_change", 3005, 1],
    ["group.privilege.revoke", "infra_change", 3005, 2],
    ["application.user_membership.add", "infra_change", 3004, 1],
    ["policy.rule.update", "infra_change", 3004, 3],
    ["app.oauth2.client.lifecycle.delete", "infra_change", 3004, 4],
    ["something.new.in_2031", "infra_change", 3004, 99],
    ["security.threat.detected", "agent_finding", 2004, 1],
  ])("%s is %s, class %i, activity %i", (eventType, category, classUid, activityId) => {
    expect(one({ eventType })).toMatchObject({ category, classUid, activityId });
  });
  test("reading is not a change", () => {
    expect(one({ eventType: "application.user_membership.show_password" })).toMatchObject({ isChange: false, category: "infra_change" });
    expect(one({ eventType: "policy.rule.update" })).toMatchObject({ isChange: true, infraAction: "okta:policy.rule.update" });
  });
  test("deliveries of mail and hooks are of no interest", () => {
    for (const eventType of ["system.email.delivery", "event_hook.delivery", "system.sms.send_factor_verify_message"]) {
      expect(normalize({ ...logEvent(1), eventType }, normalizeContext("okta"))).toEqual([]);
    }
  });
  test("the organization becomes the tenant when it is configured", () => {
    const configured = okta.normalize!(config("https://acme.okta.com"));
    expect(configured(logEvent(1), normalizeContext("okta"))[0]?.tenant).toBe("acme.okta.com");
  });
});
