import { describe, expect, it } from "vitest";
import sentinel from "../../connectors/sentinel/sentinel.ts";
import type { Rendered } from "../../src/ports/connector.ts";
import type { HttpFault } from "../../src/simulators/http-server.ts";
import { ALERT_EVENT_COLUMNS } from "../../src/simulators/sentinel-table.ts";
import { SENTINEL_WORKSPACE } from "../../src/simulators/sentinel-incidents.ts";
import { reactionOf } from "../contract/destination.ts";
import { everythingIn, testContext } from "../fixtures/context.ts";
import { CANARY, ID, incidentWorld, NOW } from "./sentinel-incident-world.ts";

const { configured, destination, kept, revision, running, send, start } = incidentWorld();

const refusal = (status: number, code: string, headers: Readonly<Record<string, string>> = {}): HttpFault => ({
  status,
  headers: { "content-type": "application/json", ...headers },
  body: JSON.stringify({ error: { code, message: `no ${CANARY}` } }),
});
const wrong = { kind: "permanent", code: "DESTINATION_CONFIG", scope: "connector" };
const down = { kind: "retryable", code: "HTTP_UNAVAILABLE", scope: "connector" };
const FAULTS: readonly (readonly [string, HttpFault, Readonly<Record<string, unknown>>])[] = [
  ["400 MissingApiVersionParameter", refusal(400, "MissingApiVersionParameter"), wrong],
  ["400 BadRequest", refusal(400, "BadRequest"), { kind: "poison", code: "HTTP_REJECTED" }],
  ["403 AuthorizationFailed", refusal(403, "AuthorizationFailed"), { kind: "retryable", code: "HTTP_DENIED", retryAfterMs: 300_000 }],
  ["404 ResourceGroupNotFound", refusal(404, "ResourceGroupNotFound"), wrong],
  ["404 SubscriptionNotFound", refusal(404, "SubscriptionNotFound"), wrong],
  ["405", refusal(405, "MethodNotAllowed"), wrong],
  ["408", { status: 408 }, down],
  ["413", { status: 413 }, { kind: "permanent", code: "HTTP_REJECTED" }],
  ["429", refusal(429, "TooManyRequests", { "retry-after": "31" }), { kind: "retryable", code: "HTTP_THROTTLED", retryAfterMs: 31_000 }],
  ["500", { status: 500 }, down],
  ["503 with Retry-After", refusal(503, "ServerBusy", { "retry-after": "7" }), { ...down, retryAfterMs: 7_000 }],
  ["302", { status: 302, headers: { location: "https://example.com" } }, wrong],
  ["200 that is no resource", { status: 200, body: "<html>" }, { kind: "retryable", code: "HTTP_MALFORMED" }],
  ["204", { status: 204 }, { kind: "retryable", code: "HTTP_MALFORMED" }],
  ["a cut answer", { connection: "cut" }, { kind: "retryable", code: "HTTP_MALFORMED" }],
  ["a reset connection", { connection: "reset" }, { kind: "retryable", code: "HTTP_UNREACHABLE" }],
  ["no answer", { connection: "hang" }, { kind: "retryable", code: "HTTP_TIMEOUT" }],
];

describe("sentinel's incidents API", () => {
  it.each(FAULTS)("reacts to %s, sends no row and shows no secret", async (_, fault, expected) => {
    running().workspace.fail(fault);
    const { context, logged } = testContext({ timeoutMs: 150 });
    const sending = destination().send([revision({ revision: 1 })], context);
    const seen = await sending.then(everythingIn, everythingIn);
    expect(await reactionOf(sending)).toMatchObject(expected);
    expect(running().received()).toEqual([]);
    expect(seen + logged.join("\n")).not.toContain(CANARY);
  });

  it("replaces a refused token once", async () => {
    await send(revision({ revision: 1 }));
    running().workspace.fail({ status: 401 });
    expect(await reactionOf(send(revision({ revision: 2 })))).toBeUndefined();
    running().workspace.fail({ status: 401, times: 2 });
    expect(await reactionOf(send(revision({ revision: 3 })))).toMatchObject({ kind: "permanent", code: "HTTP_DENIED" });
  });

  it("can be repeated after a lost answer to any step", async () => {
    for (const step of [0, 1, 2]) {
      await start();
      running().workspace.fail(...Array.from({ length: step }, () => ({})), { connection: "reset", stored: true });
      expect((await reactionOf(send(revision({ revision: 1 }))))?.kind).toBe("retryable");
      expect(await reactionOf(send(revision({ revision: 1 })))).toBeUndefined();
      expect(kept().comments.size).toBe(1);
      expect(running().received()).toHaveLength(1);
    }
  });

  const many = (count: number): Rendered[] =>
    Array.from({ length: count }, (_, index) => revision({ id: `${ID.slice(0, 24)}${String(index).padStart(12, "0")}`, revision: 1 }));

  it("keeps what was done before it was throttled, and dead-letters nothing for the rest", async () => {
    await start({ incidentsPerWindow: 2 });
    const outcomes = await send(...many(4));
    expect(outcomes.map((one) => one.status)).toEqual(["delivered", "delivered", "failed", "failed"]);
    expect(outcomes[3]).toMatchObject({ kind: "retryable", code: "HTTP_THROTTLED", retryAfterMs: 300_000 });
    expect(running().received()).toHaveLength(2);
  });

  it("turns a missing role in mid-batch into something that waits for a human", async () => {
    const late = NOW + 86_400_000;
    running().workspace.fail({}, {}, {}, refusal(403, "AuthorizationFailed"));
    const { context } = testContext({ now: late });
    const outcomes = await destination().send(many(3), context);
    expect(outcomes.map((one) => (one.status === "failed" ? [one.kind, one.code] : one.status))).toEqual([
      "delivered",
      ["config", "HTTP_DENIED"],
      ["config", "HTTP_DENIED"],
    ]);
  });

  it("refuses one incident alone", async () => {
    running().workspace.fail({}, {}, {}, {}, refusal(400, "BadRequest"));
    const outcomes = await send(...many(3));
    expect(outcomes.map((one) => (one.status === "failed" ? one.kind : one.status))).toEqual(["delivered", "poison", "delivered"]);
    expect(running().received()).toHaveLength(2);
  });

  it("takes twenty-five at a time", async () => {
    const outcomes = await send(...many(27));
    expect(outcomes.filter((one) => one.status === "delivered")).toHaveLength(25);
    expect(outcomes[26]).toMatchObject({ status: "failed", kind: "retryable", retryAfterMs: 100_000 });
    expect(running().workspace.incidents()).toHaveLength(25);
  });

  it("begins no incident when the batch has taken long", async () => {
    const { context } = testContext();
    let now = NOW;
    // Each look at the clock takes a second, as slow answers would.
    const outcomes = await destination().send(many(12), { ...context, clock: { now: () => (now += 1_000) } });
    const done = outcomes.filter((one) => one.status === "delivered").length;
    expect(done).toBeGreaterThan(0);
    expect(done).toBeLessThan(12);
    expect(outcomes.at(-1)).toMatchObject({ status: "failed", kind: "retryable", retryAfterMs: 100_000 });
    expect(running().workspace.incidents()).toHaveLength(done);
  });

  it("takes a 404 to a write for a workspace that is not there, whatever its code", async () => {
    running().workspace.fail({}, refusal(404, "NotFound"));
    expect(await reactionOf(send(revision({ revision: 1 })))).toEqual({
      kind: "permanent",
      code: "DESTINATION_CONFIG",
      scope: "connector",
    });
  });

  it("counts nothing as delivered when the rows are refused, and repeats without harm", async () => {
    running().fail({ status: 503 });
    expect(await reactionOf(send(...many(2)))).toMatchObject(down);
    expect(await reactionOf(send(...many(2)))).toBeUndefined();
    expect(
      running()
        .workspace.incidents()
        .map((one) => one.comments.size),
    ).toEqual([1, 1]);
    expect(running().received()).toHaveLength(2);
  });

  it("is checked without a change on the other side", async () => {
    const checked = async (settings = {}) => {
      const checks = await sentinel.check(configured(settings), testContext({ now: NOW }).context);
      for (const one of checks) if (!one.ok) expect(one.fix, one.name).toBeTruthy();
      return checks.filter((one) => one.name === "incidents").map((one) => `${one.ok ? "ok" : "failed"}: ${one.message}`);
    };
    expect(await checked()).toEqual(["ok: incidents can be read and written"]);
    expect(await checked({ incidents: "rule" })).toEqual([]);
    const elsewhere = { ...SENTINEL_WORKSPACE, name: "other-workspace" };
    expect(await checked({ workspace: elsewhere })).toEqual([expect.stringContaining("404 (ParentResourceNotFound)")]);
    running().workspace.fail({}, refusal(403, "AuthorizationFailed"));
    expect(await checked()).toEqual([expect.stringMatching(/^ok: incidents can be read; permissions cannot/)]);
    for (const actions of [
      ["*/read"],
      ["Microsoft.SecurityInsights/incidents/read"],
      ["Microsoft.SecurityInsights/incidents/write/*"],
      ["incidents/*"],
      ["*", "-*/write"],
    ]) {
      await start({ actions });
      expect(await checked()).toEqual([expect.stringMatching(/^failed: the application lacks /)]);
    }
    for (const actions of [["*"], ["microsoft.securityinsights/*"], ["*/write"]]) {
      await start({ actions });
      expect(await checked()).toEqual(["ok: incidents can be read and written"]);
    }
    await start({ managementAudience: "https://management.usgovcloudapi.net" });
    expect(await checked()).toEqual([expect.stringContaining("401 (InvalidAuthenticationToken)")]);
    expect(running().received()).toEqual([]);
    expect(running().workspace.incidents()).toEqual([]);
  });

  it("compares the rule's columns with what is sent, where the rule's name is known and it may be read", async () => {
    const checked = async (settings = {}) => {
      const checks = await sentinel.check(
        configured({ incidents: "rule", dcrName: "custodes", ...settings }),
        testContext({ now: NOW }).context,
      );
      return checks.filter((one) => one.name === "streams").map((one) => `${one.ok ? "ok" : "failed"}: ${one.message}`);
    };
    expect(await checked()).toEqual(["ok: the rule declares every column that is sent"]);
    expect(await checked({ dcrName: undefined })).toEqual([]);
    expect(await checked({ dcrName: "other" })).toEqual(["failed: the rule is not found: Azure answers 404 (ResourceNotFound)"]);
    running().workspace.fail(refusal(403, "AuthorizationFailed"));
    expect(await checked()).toEqual([expect.stringMatching(/^ok: the rule cannot be read/)]);
    await start({ rule: { immutableId: `dcr-${"0".repeat(32)}` } });
    expect(await checked()).toEqual(["failed: dcrName and dcrImmutableId are two different rules"]);
    const columns = new Map([...ALERT_EVENT_COLUMNS].filter(([column]) => column !== "AttackTactics"));
    await start({ columns: columns.set("EventCount", "string") });
    expect(await checked()).toEqual([
      expect.stringMatching(/dropped.*: Custom-ASimAlertEventLogs.EventCount, Custom-ASimAlertEventLogs.AttackTactics$/),
    ]);
  });
});
