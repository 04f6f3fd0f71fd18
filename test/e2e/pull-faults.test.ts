/** A pull source whose network is cut, whose vendor fails, throttles, answers nonsense or refuses the credential. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { oktaRecord } from "../../src/demo/records.ts";
import { dice } from "../../src/demo/random.ts";
import type { SourceState } from "../../src/ports/store.ts";
import type { HttpFault } from "../../src/simulators/http-server.ts";
import { oktaSimulator, type OktaLogEvent, type OktaSimulator } from "../../src/simulators/okta.ts";
import { queryState } from "../../src/state.ts";
import { startInside, type Inside } from "./inside.ts";
import { until } from "./service.ts";
import { makeDay } from "./world.ts";

const TOKEN = "e2e-okta-secret-token";
/** Longer than the wait after the sixth failure in a row. */
const AGAIN_MS = 70_000;
const STALL_MS = 900_000;
const directory = mkdtempSync(join(tmpdir(), "custodes-pull-"));
const day = makeDay();
const events = day.okta.map((line) => JSON.parse(line) as OktaLogEvent);

/** What Okta does, one after the other, and how it must be named; no two in a row alike, so that each is seen. */
const TROUBLES: readonly (readonly [fault: HttpFault, code: string])[] = [
  [{ connection: "reset" }, "HTTP_UNREACHABLE"],
  [{ body: "<html>maintenance</html>" }, "HTTP_MALFORMED"],
  [{ status: 503 }, "HTTP_UNAVAILABLE"],
  [{ body: '{"events":[]}' }, "HTTP_MALFORMED"],
  [{ connection: "cut" }, "HTTP_UNREACHABLE"],
  [{ status: 429, headers: { "retry-after": "40" } }, "HTTP_THROTTLED"],
];

let okta: OktaSimulator;
let service: Inside;
beforeAll(async () => {
  okta = await oktaSimulator({ authorization: `SSWS ${TOKEN}`, events, perMinute: 100_000 });
  okta.fault(...TROUBLES.map(([fault]) => fault), { status: 401, times: 3 });
  writeFileSync(join(directory, "findings.ndjson"), `${day.agentFindings.join("\n")}\n`);
  writeFileSync(join(directory, "agents.yaml"), day.agents);
  service = await startInside(
    directory,
    `data: ./data
agents: ./agents.yaml
receiver: { listen: "127.0.0.1:0" }
correlation: { every: "* * * * * *" }
sources:
  okta/corp: { url: "${okta.url}", apiToken: "\${env:TOKEN}", backfill: 3d, every: "* * * * * *" }
  agent-findings/fleet: { path: ${join(directory, "findings.ndjson")}, every: "* * * * * *" }
`,
    { TOKEN },
  );
});
afterAll(async () => {
  await service.stop();
  await okta.close();
  rmSync(directory, { recursive: true, force: true });
});

const state = async (source = "okta/corp"): Promise<SourceState> => (await service.store.source(source))!;
const messages = () => service.said.filter((line) => line.fields["source"] === "okta/corp").map((line) => line.message);
/** Waits until the sources were asked to pull under the present clock. */
const pulled = () =>
  until("a pull of the other source", async () => (await state("agent-findings/fleet")).lastSuccessTime === service.now());

test("each trouble is named, costs nothing but time, and holds up no other source", async () => {
  const begins: unknown[] = [];
  for (const [index, [, code]] of TROUBLES.entries()) {
    await until(code, async () => okta.asked().length === index + 1 && (await state())?.lastError?.startsWith(code) === true);
    expect(await state()).toMatchObject({ watermark: null, events: 0, pausedReason: null });
    begins.push((await state()).cursor);
    if (index < TROUBLES.length - 1) service.pass(AGAIN_MS);
  }
  expect(begins[0]).toMatch(/^\[1,"\/api\/v1\/logs\?since=/);
  expect(new Set(begins).size, "where it begins does not move with the clock").toBe(1);
  await until("the other source", async () => (await state("agent-findings/fleet")).events > 200);
  expect(messages(), "one line for the whole time").toEqual(["pull failed"]);
  expect(okta.asked().filter((query) => query.includes("after="))).toEqual([]);
});

test("a source that asks to slow down is left alone for exactly as long as it asked", async () => {
  // Its own wait is over by then: six failures in a row make at most 32 seconds.
  service.pass(39_999);
  await pulled();
  expect(okta.asked()).toHaveLength(TROUBLES.length);
  service.pass(1);
  await until("the next pull", async () => okta.asked().length === TROUBLES.length + 1);
});

test("a refused credential pauses it with one line, and it is probed every five minutes", async () => {
  await until("the pause", async () => (await state()).pausedReason?.startsWith("HTTP_DENIED: ") === true);
  expect((await service.health()).status).toBe("red");
  service.pass(299_999);
  await pulled();
  expect(okta.asked()).toHaveLength(TROUBLES.length + 1);
  service.pass(1);
  await until("the first probe", async () => okta.asked().length === TROUBLES.length + 2);
  await pulled();
  expect(messages()).toEqual(["pull failed", "source paused"]);
  expect(JSON.stringify(service.said)).not.toContain(TOKEN);
});

interface Progress {
  readonly watermark: number | null;
}
const watermark = async () => ((await queryState(service.store, "progress", {}, service.now())) as Progress).watermark;

test("alerts wait for it no longer than its stall budget, and then say that they did not", async () => {
  const support = async () => (await service.store.incidents()).find((incident) => incident.agentUid === "agt-support")!;
  // Rules that Okta has no part in have their last word already; a finding could still come from there.
  expect(await watermark()).toBeNull();
  expect(await support()).toMatchObject({ final: false, coverage: { state: "partial", missing: ["okta/corp"] } });
  service.pass(STALL_MS);
  await until("the final incident", async () => (await support()).final);
  expect(await watermark()).toBeGreaterThan(0);
  expect(await support()).toMatchObject({ coverage: { state: "partial", missing: ["okta/corp"] } });
});

test("after healing everything arrives, page by page, each record once, although the network is cut in the middle", async () => {
  await until("the first event", async () => {
    service.pass(AGAIN_MS);
    return (await state()).events > 0;
  });
  expect(await state()).toMatchObject({ lastError: null, pausedReason: null, duplicates: 0, events: events.length });
  expect(messages()).toEqual(["pull failed", "source paused", "source works again"]);
  const chance = dice(5);
  const time = service.now() - 3_600_000;
  const more = Array.from(
    { length: 2500 },
    (_, index) => JSON.parse(oktaRecord(chance, "user1@corp.example", time + index)) as OktaLogEvent,
  );
  const before = okta.asked().length;
  // The second page breaks off in the middle of its answer.
  okta.fault({ stored: true }, { connection: "cut" });
  okta.add(more);
  await until("the cut", async () => (await state()).lastError !== null);
  expect((await state()).events).toBe(events.length + 1000);
  service.pass(AGAIN_MS);
  await until("the rest", async () => (await state()).events === events.length + more.length);
  expect(await state()).toMatchObject({ lastError: null, duplicates: 0, quarantined: 0 });
  const positions = okta
    .asked()
    .slice(before)
    .map((query) => new URLSearchParams(query.split("?")[1]).get("after"));
  const [first = "", second = "", again = "", third = ""] = positions.map(String);
  expect([first, second, again, third].map(Number)).toEqual([0, 1000, 1000, 2000].map((read) => events.length + read));
});
