import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { Ajv } from "ajv";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import sentinel from "../../connectors/sentinel/sentinel.ts";
import { incidentOfRow, incidentResource } from "../../connectors/sentinel/incident-resource.ts";
import type { Incident } from "../../src/core/incident.ts";
import type { Rendered } from "../../src/ports/connector.ts";
import type { HttpFault } from "../../src/simulators/http-server.ts";
import { SENTINEL_WORKSPACE } from "../../src/simulators/sentinel-incidents.ts";
import {
  SENTINEL_DEMO,
  startSentinelSimulator,
  type SentinelSimulator,
  type SentinelSimulatorOptions,
} from "../../src/simulators/sentinel.ts";
import { reactionOf } from "../contract/destination.ts";
import { everythingIn, testContext, testSecret } from "../fixtures/context.ts";
import { hostileIncident, hugeIncident } from "../fixtures/hostile.ts";
import { delivery, incidentSubject, STORY_TIME } from "../fixtures/subjects.ts";

const NAME = "sentinel/soc";
const CANARY = "canary-client-secret-77aa12";
const NOW = STORY_TIME + 600_000;
const ID = incidentSubject().incident.id;

const schemas = resolve(import.meta.dirname, "../../../shared/contracts/data/derived");
const schemasPresent = existsSync(schemas);
if (!schemasPresent && process.env["CI"] === "true") throw new Error("../shared/contracts/data is missing");

/** Whether a body is what Microsoft's swagger says. */
function fits(schema: string, body: unknown): boolean {
  const ajv = new Ajv({ strict: false, validateFormats: false });
  return ajv.validate(JSON.parse(readFileSync(resolve(schemas, `${schema}.schema.json`), "utf8")) as object, body);
}

let simulator: SentinelSimulator;
async function start(options: SentinelSimulatorOptions = {}) {
  await simulator?.close();
  simulator = await startSentinelSimulator({ clientSecret: CANARY, now: () => NOW, ...options });
}
beforeEach(() => start());
afterEach(() => simulator.close());

function configured(settings: Readonly<Record<string, unknown>> = {}) {
  const { tenantId, clientId, dcrImmutableId } = SENTINEL_DEMO;
  const { url: endpoint, authority, management: managementEndpoint } = simulator;
  const given = { tenantId, clientId, dcrImmutableId, endpoint, authority, managementEndpoint, clientSecret: testSecret(CANARY) };
  return sentinel.config.parse({ ...given, incidents: "api", workspace: SENTINEL_WORKSPACE, ...settings });
}

const destination = (settings: Readonly<Record<string, unknown>> = {}) => sentinel.destination!(configured(settings));
const revision = (changes: Partial<Incident>, settings = {}): Rendered =>
  destination(settings).render(delivery(incidentSubject(changes), NAME));
const send = (...items: readonly Rendered[]) => destination().send(items, testContext().context);
const kept = (id = ID) => simulator.workspace.incidents().find((one) => one.id === id)!;
const quiet: Partial<Incident> = { status: 4, closure: { how: "quiet", time: STORY_TIME }, final: true };

describe("sentinel's incidents", () => {
  it("are created under their own id with what a person needs, and their row is sent after them", async () => {
    const outcomes = await send(revision({ revision: 1 }));
    expect(outcomes).toEqual([
      { status: "delivered", receipt: expect.stringMatching(/^incident b7a0a9f4-\S+ created; 204, request /) as string },
    ]);
    expect(kept().properties).toMatchObject({
      title: "invoice-bot: credential used from two networks, then bulk read and upload",
      severity: "High",
      status: "New",
      firstActivityTimeUtc: new Date(STORY_TIME).toISOString(),
      labels: [
        { labelName: "custodes" },
        { labelName: "custodes:revision:1" },
        { labelName: "custodes:level:critical" },
        { labelName: "custodes:agent:invoice-bot" },
      ],
    });
    expect([...kept().comments.values()]).toEqual([expect.stringContaining("Revision 1, new, critical")]);
    expect(simulator.received()).toHaveLength(1);
  });

  it("leave alerts to the table", async () => {
    const one = destination();
    expect(one.render(delivery(incidentSubject(), NAME)).group).not.toBe("alert");
    expect(destination({ incidents: "rule" }).render(delivery(incidentSubject(), NAME)).group).toBe("alert");
  });

  it("change nothing when a revision comes twice, not even by a second comment", async () => {
    await send(revision({ revision: 1 }));
    const { etag } = kept();
    expect((await send(revision({ revision: 1 })))[0]).toMatchObject({
      status: "delivered",
      receipt: expect.stringContaining("unchanged") as string,
    });
    expect(kept().etag).toBe(etag);
    expect(kept().comments.size).toBe(1);
  });

  it("never go back to an older revision", async () => {
    await send(revision({ revision: 3, title: "third" }));
    expect((await send(revision({ revision: 2, title: "second" })))[0]).toMatchObject({
      receipt: expect.stringContaining("a newer revision is there") as string,
    });
    expect(kept().properties["title"]).toBe("third");
    expect(kept().comments.size).toBe(1);
  });

  it("keep the analysts' owner, labels and state", async () => {
    await send(revision({ revision: 1 }));
    const owner = { userPrincipalName: "ann@soc.example" };
    const labels = [{ labelName: "custodes:revision:1" }, { labelName: "vip", labelType: "User" }];
    simulator.workspace.edit(ID, { owner, status: "Active", labels });
    await send(revision({ revision: 2, level: "medium" }));
    expect(kept().properties).toMatchObject({ owner, status: "Active", severity: "Medium" });
    expect(kept().properties["labels"]).toContainEqual({ labelName: "vip" });
    expect(kept().properties["labels"]).not.toContainEqual({ labelName: "custodes:revision:1" });
  });

  it("are given to the configured owner when they are new, and only then", async () => {
    const settings = { incidentOwner: "soc@acme.example" };
    await destination(settings).send([revision({ revision: 1 }, settings)], testContext().context);
    expect(kept().properties["owner"]).toEqual({ userPrincipalName: "soc@acme.example" });
    simulator.workspace.edit(ID, { owner: { userPrincipalName: "ann@soc.example" } });
    await destination(settings).send([revision({ revision: 2 }, settings)], testContext().context);
    expect(kept().properties["owner"]).toEqual({ userPrincipalName: "ann@soc.example" });
  });

  it("are closed as undetermined, reopened when it goes on, and stay closed where an analyst closed them", async () => {
    await send(revision({ revision: 1 }));
    await send(revision({ revision: 2, ...quiet }));
    expect(kept().properties).toMatchObject({
      status: "Closed",
      classification: "Undetermined",
      classificationComment: "Custodes: closed (quiet)",
    });
    await send(revision({ revision: 3 }));
    expect(kept().properties["status"]).toBe("Active");
    expect(kept().properties["classification"]).toBeUndefined();
    simulator.workspace.edit(ID, {
      status: "Closed",
      classification: "TruePositive",
      classificationReason: "SuspiciousActivity",
      classificationComment: "contained",
    });
    for (const changes of [{ revision: 4 }, { revision: 5, ...quiet }]) {
      await send(revision(changes));
      expect(kept().properties).toMatchObject({ status: "Closed", classification: "TruePositive", classificationComment: "contained" });
    }
    expect(kept().comments.size).toBe(5);
  });

  it("are merged again when somebody was faster, and left for later when somebody always is", async () => {
    await send(revision({ revision: 1 }));
    simulator.workspace.beforePut(() =>
      simulator.workspace.edit(ID, { status: "Active", owner: { userPrincipalName: "bob@soc.example" } }),
    );
    expect(await reactionOf(send(revision({ revision: 2 })))).toBeUndefined();
    expect(kept().properties).toMatchObject({ status: "Active", owner: { userPrincipalName: "bob@soc.example" } });

    const always = () => simulator.workspace.beforePut(() => (simulator.workspace.edit(ID, {}), always()));
    always();
    expect((await send(revision({ revision: 3 })))[0]).toMatchObject({ status: "failed", kind: "retryable", code: "INCIDENT_MOVED" });
  });

  it("get comments for their first eighty revisions and for the one that ends them", async () => {
    for (const [number, changes, count] of [
      [80, {}, 1],
      [81, {}, 1],
      [99, quiet, 2],
    ] as const) {
      await send(revision({ revision: number, ...changes }));
      expect(kept().comments.size).toBe(count);
    }
  });

  it("are within the limits whatever their texts say, and no text becomes a link or markup", async () => {
    for (const subject of [hostileIncident(), hugeIncident()]) {
      const item = destination().render(delivery(subject, NAME));
      expect(await reactionOf(send(item))).toBeUndefined();
    }
    const html = revision({ title: "<img src=x onerror=alert(1)> [click](https://evil.example) **x**", revision: 9 });
    await send(html);
    const comment = [...kept().comments.values()].at(-1)!;
    expect(comment).toContain(String.raw`&lt;img src=x onerror=alert\(1\)&gt; \[click\]\(https://evil.example\) \*\*x\*\*`);
    expect(comment).not.toContain("<img");
  });

  it.skipIf(!schemasPresent)("are what Microsoft's swagger says", () => {
    for (const changes of [{}, quiet]) {
      const ours = incidentOfRow(revision(changes).body)!;
      const body = incidentResource(ours, undefined, "soc@acme.example");
      expect(fits("sentinel-incident", body)).toBe(true);
      expect(fits("sentinel-incident", { ...body, properties: { ...(body["properties"] as object), severity: "Critical" } })).toBe(false);
      expect(fits("sentinel-incident-comment", { properties: { message: ours.comment!.message } })).toBe(true);
    }
  });
});

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
    simulator.workspace.fail(fault);
    const { context, logged } = testContext({ timeoutMs: 150 });
    const sending = destination().send([revision({ revision: 1 })], context);
    const seen = await sending.then(everythingIn, everythingIn);
    expect(await reactionOf(sending)).toMatchObject(expected);
    expect(simulator.received()).toEqual([]);
    expect(seen + logged.join("\n")).not.toContain(CANARY);
  });

  it("replaces a refused token once", async () => {
    await send(revision({ revision: 1 }));
    simulator.workspace.fail({ status: 401 });
    expect(await reactionOf(send(revision({ revision: 2 })))).toBeUndefined();
    simulator.workspace.fail({ status: 401, times: 2 });
    expect(await reactionOf(send(revision({ revision: 3 })))).toMatchObject({ kind: "permanent", code: "HTTP_DENIED" });
  });

  it("can be repeated after a lost answer to any step", async () => {
    for (const step of [0, 1, 2]) {
      await start();
      simulator.workspace.fail(...Array.from({ length: step }, () => ({})), { connection: "reset", stored: true });
      expect((await reactionOf(send(revision({ revision: 1 }))))?.kind).toBe("retryable");
      expect(await reactionOf(send(revision({ revision: 1 })))).toBeUndefined();
      expect(kept().comments.size).toBe(1);
      expect(simulator.received()).toHaveLength(1);
    }
  });

  const many = (count: number): Rendered[] =>
    Array.from({ length: count }, (_, index) => revision({ id: `${ID.slice(0, 24)}${String(index).padStart(12, "0")}`, revision: 1 }));

  it("keeps what was done before it was throttled, and dead-letters nothing for the rest", async () => {
    await start({ incidentsPerWindow: 2 });
    const outcomes = await send(...many(4));
    expect(outcomes.map((one) => one.status)).toEqual(["delivered", "delivered", "failed", "failed"]);
    expect(outcomes[3]).toMatchObject({ kind: "retryable", code: "HTTP_THROTTLED", retryAfterMs: 300_000 });
    expect(simulator.received()).toHaveLength(2);
  });

  it("turns a missing role in mid-batch into something that waits for a human", async () => {
    const late = NOW + 86_400_000;
    simulator.workspace.fail({}, {}, {}, refusal(403, "AuthorizationFailed"));
    const { context } = testContext({ now: late });
    const outcomes = await destination().send(many(3), context);
    expect(outcomes.map((one) => (one.status === "failed" ? [one.kind, one.code] : one.status))).toEqual([
      "delivered",
      ["config", "HTTP_DENIED"],
      ["config", "HTTP_DENIED"],
    ]);
  });

  it("refuses one incident alone", async () => {
    simulator.workspace.fail({}, {}, {}, {}, refusal(400, "BadRequest"));
    const outcomes = await send(...many(3));
    expect(outcomes.map((one) => (one.status === "failed" ? one.kind : one.status))).toEqual(["delivered", "poison", "delivered"]);
    expect(simulator.received()).toHaveLength(2);
  });

  it("takes twenty-five at a time", async () => {
    const outcomes = await send(...many(27));
    expect(outcomes.filter((one) => one.status === "delivered")).toHaveLength(25);
    expect(outcomes[26]).toMatchObject({ status: "failed", kind: "retryable", retryAfterMs: 100_000 });
    expect(simulator.workspace.incidents()).toHaveLength(25);
  });

  it("counts nothing as delivered when the rows are refused, and repeats without harm", async () => {
    simulator.fail({ status: 503 });
    expect(await reactionOf(send(...many(2)))).toMatchObject(down);
    expect(await reactionOf(send(...many(2)))).toBeUndefined();
    expect(simulator.workspace.incidents().map((one) => one.comments.size)).toEqual([1, 1]);
    expect(simulator.received()).toHaveLength(2);
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
    simulator.workspace.fail({}, refusal(403, "AuthorizationFailed"));
    expect(await checked()).toEqual([expect.stringMatching(/^ok: incidents can be read; permissions cannot/)]);
    for (const actions of [["*/read"], ["Microsoft.SecurityInsights/incidents/read"], ["Microsoft.SecurityInsights/incidents/write/*"]]) {
      await start({ actions });
      expect(await checked()).toEqual([expect.stringMatching(/^failed: the application lacks /)]);
    }
    for (const actions of [["*"], ["microsoft.securityinsights/*"], ["*/write"]]) {
      await start({ actions });
      expect(await checked()).toEqual(["ok: incidents can be read and written"]);
    }
    await start({ managementAudience: "https://management.usgovcloudapi.net" });
    expect(await checked()).toEqual([expect.stringContaining("401 (InvalidAuthenticationToken)")]);
    expect(simulator.received()).toEqual([]);
    expect(simulator.workspace.incidents()).toEqual([]);
  });
});
