import { describe, expect, it } from "vitest";
import { ERRORS } from "../../connectors/slack/answers.ts";
import slack from "../../connectors/slack/slack.ts";
import type { Incident } from "../../src/core/incident.ts";
import type { HttpFault } from "../../src/simulators/http-server.ts";
import { connectorWide, destinationContract, reactionOf, type DestinationContract, type Reaction } from "../contract/destination.ts";
import { testContext, testSecret } from "../fixtures/context.ts";
import { alertSubject, delivery, incidentSubject } from "../fixtures/subjects.ts";
import type { SlackMessage } from "../simulators/slack.ts";
import { CHANNEL, HOOK, NAME, start, startHook, TOKEN, within, type World } from "./slack-world.ts";

const denied = connectorWide("permanent", "HTTP_DENIED");
const wrong = connectorWide("permanent", "DESTINATION_CONFIG");
const down = connectorWide("retryable", "HTTP_UNAVAILABLE");
const slow = connectorWide("retryable", "HTTP_THROTTLED");
const item = (code: Reaction["code"]): Reaction => ({ kind: "permanent", code, scope: "item" });
const said = (error: string): HttpFault => ({
  status: 200,
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ ok: false, error }),
});
const BY_VERDICT = {
  denied,
  config: wrong,
  refused: item("HTTP_REJECTED"),
  large: item("HTTP_TOO_LARGE"),
  throttled: { ...slow, retryAfterMs: 30_000 },
  unavailable: down,
} as const;

const statuses: DestinationContract["reactions"] = [
  { title: "429 with Retry-After", fault: { status: 429, headers: { "retry-after": "7" } }, expect: { ...slow, retryAfterMs: 7_000 } },
  { title: "429 without any header", fault: { status: 429 }, expect: { ...slow, retryAfterMs: 30_000 } },
  ...[408, 500, 502, 503].map((status) => ({ title: String(status), fault: { status }, expect: down })),
  { title: "400", fault: { status: 400 }, expect: item("HTTP_REJECTED") },
  { title: "401", fault: { status: 401 }, expect: denied },
  { title: "403", fault: { status: 403 }, expect: denied },
  { title: "404", fault: { status: 404 }, expect: wrong },
  { title: "413", fault: { status: 413 }, expect: item("HTTP_TOO_LARGE") },
  { title: "302", fault: { status: 302, headers: { location: "https://example.com/" } }, expect: wrong },
];

destinationContract({
  name: NAME,
  secrets: [TOKEN],
  start,
  reactions: [
    ...statuses,
    ...[...ERRORS].flatMap(([error, verdict]) =>
      verdict === "gone" ? [] : [{ title: `200 ${error}`, fault: said(error), expect: BY_VERDICT[verdict] }],
    ),
    { title: "200 with an error that nobody knows", fault: said("brand_new_error"), expect: wrong },
    { title: "200 with an error that has a name of ours", fault: said("constructor"), expect: wrong },
  ],
  malformed: [
    { status: 200, body: "" },
    { status: 200, body: "<html>proxy</html>" },
    { status: 200, body: '{"ok":true}' },
    { status: 200, body: '{"ok":true,"channel":"C0123456789","ts":"now"}' },
    { status: 200, body: '{"ok":false}' },
    { status: 200, body: "ok" },
    { status: 202, body: '{"ok":true,"channel":"C0123456789","ts":"1.1"}' },
  ],
  identity: (message) => String(((message as SlackMessage).metadata?.["event_payload"] as { key?: unknown } | undefined)?.key),
  idempotent: false,
});

destinationContract({
  name: "slack/hook",
  secrets: [HOOK],
  start: startHook,
  reactions: [
    ...statuses,
    ...["invalid_payload", "no_text", "too_many_attachments"].map((body) => ({
      title: `400 ${body}`,
      fault: { status: 400, body },
      expect: item("HTTP_REJECTED"),
    })),
    ...["action_prohibited", "invalid_token"].map((body) => ({ title: `403 ${body}`, fault: { status: 403, body }, expect: denied })),
    ...["channel_not_found", "no_service", "no_team"].map((body) => ({
      title: `404 ${body}`,
      fault: { status: 404, body },
      expect: wrong,
    })),
    { title: "410 channel_is_archived", fault: { status: 410, body: "channel_is_archived" }, expect: wrong },
  ],
  malformed: [
    { status: 200, body: "" },
    { status: 200, body: "<html>proxy</html>" },
    { status: 201, body: "ok" },
  ],
  // Nothing in a webhook's message names the delivery but its last line.
  identity: (message) => JSON.stringify((message as SlackMessage).blocks.at(-1)),
  idempotent: false,
});

const life = (world: World) => {
  let memory: string | undefined;
  return async (changes: Partial<Incident>) => {
    const given = delivery(incidentSubject(changes), NAME);
    const rendered = world.destination.render(memory === undefined ? given : { ...given, memory });
    const [outcome] = await world.destination.send([rendered], testContext().context);
    if (outcome?.status !== "delivered") throw new Error("not delivered");
    memory = outcome.memory ?? memory;
    return outcome.receipt;
  };
};
const headers = (world: World) => world.received().map(({ blocks }) => (blocks[0]!["text"] as { text: string }).text.slice(0, 25));

describe("slack over an incident's life", () => {
  it("posts one message and edits it", async () => {
    await within({}, {}, async (world) => {
      const send = life(world);
      expect(await send({ revision: 1, level: "high" })).toMatch(/^C0123456789 \d+\.\d+$/);
      await send({ revision: 2 });
      await send({ revision: 3, status: 5 });
      expect(world.received().map(({ edits, unfurl }) => [edits, unfurl])).toEqual([[2, false]]);
      expect(headers(world)).toEqual(["[closed, was critical] inv"].map((text) => text.slice(0, 25)));
      expect(world.received()[0]!.metadata).toMatchObject({ event_type: "custodes_incident", event_payload: { revision: 3 } });
    });
  });

  it("answers in the thread of the first message where that is wanted", async () => {
    await within({}, { updates: "thread" }, async (world) => {
      const send = life(world);
      for (const revision of [1, 2, 3]) await send({ revision });
      const [first, ...answers] = world.received();
      expect(first!.threadTs).toBeUndefined();
      expect(answers.map(({ threadTs, unfurl }) => [threadTs, unfurl])).toEqual([
        [first!.ts, false],
        [first!.ts, false],
      ]);
    });
  });

  it.each(["message_not_found", "cant_update_message", "edit_window_closed"])("posts anew where the message answers %s", async (error) => {
    await within({}, {}, async (world) => {
      const send = life(world);
      await send({ revision: 1 });
      if (error === "message_not_found") world.wipe();
      else world.fail(said(error));
      await send({ revision: 2 });
      await send({ revision: 3 });
      expect(world.received().at(-1)).toMatchObject({ edits: 1, unfurl: false, threadTs: undefined });
    });
  });

  it("asks for no more when even a new message is answered like an old one", async () => {
    await within({}, {}, async (world) => {
      world.fail(said("message_not_found"), said("message_not_found"));
      const rendered = world.destination.render(delivery(incidentSubject(), NAME));
      expect(await reactionOf(world.destination.send([rendered], testContext().context))).toEqual(wrong);
      expect(world.requests()).toBe(2);
    });
  });

  it("takes no foreign memory for a place", () => {
    const config = slack.config.parse({ token: testSecret(TOKEN), channel: CHANNEL });
    for (const memory of ["", "x", `${CHANNEL}:1.1","x":"`, `c${CHANNEL}:1.1`])
      expect(slack.destination!(config).render({ ...delivery(incidentSubject(), NAME), memory }).meta).toEqual({
        method: "chat.postMessage",
      });
  });

  it("is told to wait when it posts faster than the channel allows", async () => {
    await within({ perMinute: 1, now: () => 1_000_000 }, {}, async (world) => {
      await life(world)({});
      const rendered = world.destination.render(delivery(alertSubject(), NAME));
      expect(await reactionOf(world.destination.send([rendered], testContext().context))).toEqual({ ...slow, retryAfterMs: 30_000 });
      expect(world.destination.limits.perMinute).toBeLessThanOrEqual(60);
    });
  });
});
