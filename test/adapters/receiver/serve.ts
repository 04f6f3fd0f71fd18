/** A receiver on a free port of this machine, with one push path. */
import { afterEach } from "vitest";
import { startReceiver, type HttpReceiver, type PushRoute, type ReceiverOptions } from "../../../src/adapters/receiver/receiver.ts";
import { fixedSecret } from "../../../src/config/secrets.ts";
import type { PushRequest, Pushed } from "../../../src/ports/connector.ts";
import { testLog } from "../../pipeline/world.ts";

export const TOKEN = "right-token";
export const LIMIT = 10_000;
const open: HttpReceiver[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});

export interface Setting {
  readonly push?: (request: PushRequest) => Promise<Pushed["reply"]>;
  readonly token?: PushRoute["token"];
  readonly infos?: ReceiverOptions["infos"];
}

export async function setUp({ push, token, infos = [] }: Setting = {}) {
  const log = testLog();
  const seen: PushRequest[] = [];
  const receiver = await startReceiver({
    listen: "127.0.0.1:0",
    bodyBytesMax: LIMIT,
    log,
    infos,
    pushes: [
      {
        path: "/push/fake/one",
        token: token ?? fixedSecret(TOKEN),
        push: async (request) => {
          seen.push(request);
          return (await push?.(request)) ?? { status: 202, contentType: "text/plain", body: "ok" };
        },
      },
    ],
  });
  open.push(receiver);
  const send = async (
    init: { headers?: Record<string, string>; body?: string | Uint8Array; path?: string; method?: string; auth?: string | null } = {},
  ) => {
    const { auth = `Bearer ${TOKEN}`, headers = {}, body = "{}", path = "/push/fake/one", method = "POST" } = init;
    const given = { "content-type": "application/json", ...(auth === null ? {} : { authorization: auth }), ...headers };
    const answer = await fetch(`${receiver.url}${path}`, { method, headers: given, ...(method === "GET" ? {} : { body: body as never }) });
    return { status: answer.status, headers: answer.headers, text: await answer.text() };
  };
  return { receiver, log, seen, send };
}
export const bodyOf = (request: PushRequest | undefined) => new TextDecoder().decode(request?.body);
