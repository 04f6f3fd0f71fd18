/**
 * A strict receiver of Standard Webhooks: checks the three headers over the raw body with a key of its own, the age of
 * the timestamp, the shape of the message, and drops repeats by `webhook-id`. Written from the specification, not
 * from the sender.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import {
  faultQueue,
  startLoopback,
  type HttpFault,
  type SimulatedAnswer,
  type SimulatedRequest,
} from "../../src/simulators/http-server.ts";

/** A message as the receiver keeps it. */
interface Message {
  readonly type: string;
  readonly timestamp: string;
  readonly data: { readonly key: string; readonly id: string; readonly revision: number; readonly ocsf: object };
}

/** A running receiver. */
export interface WebhookSimulator {
  readonly url: string;
  /** Distinct messages, by `webhook-id` and within batches by key. */
  received(): readonly Message[];
  /** `webhook-id` of every request that was genuine, repeats included. */
  ids(): readonly string[];
  /** How many messages each genuine request held; a batch of one is a batch. */
  sizes(): readonly (number | "single")[];
  /** Headers of the last request. */
  last(): SimulatedRequest["headers"] | undefined;
  requests(): number;
  fail(...faults: readonly HttpFault[]): void;
  close(): Promise<void>;
}

/** Receivers reject what is older or newer than five minutes. */
const TOLERANCE_S = 300;

/** `key`: as it was handed out, `whsec_…`; `now`: the receiver's clock, milliseconds. */
export async function startWebhookSimulator(options: {
  readonly key: string;
  readonly now: () => number;
  readonly authorization?: string;
}): Promise<WebhookSimulator> {
  const faults = faultQueue<HttpFault>();
  const ids: string[] = [];
  const sizes: (number | "single")[] = [];
  const messages = new Map<string, Message>();
  let last: SimulatedRequest["headers"] | undefined;
  const server = await startLoopback<HttpFault>({
    fault: (request) => (request.method === "POST" ? faults.next() : undefined),
    handle: (request): SimulatedAnswer => {
      last = request.headers;
      if (request.method !== "POST") return { status: 405 };
      if (request.headers["content-type"] !== "application/json") return { status: 415 };
      if (options.authorization !== undefined && request.headers.authorization !== options.authorization) return { status: 403 };
      const id = request.headers["webhook-id"];
      if (typeof id !== "string" || !isGenuine(request, id, options)) return { status: 401 };
      const bodies = messagesIn(request.body.toString("utf8"));
      if (bodies === undefined) return { status: 400 };
      ids.push(id);
      sizes.push(request.body.toString("utf8").startsWith('{"type":"batch"') ? bodies.length : "single");
      for (const message of bodies) messages.set(message.data.key, message);
      return { status: 204 };
    },
  });
  return {
    url: server.url,
    received: () => [...messages.values()],
    ids: () => ids,
    sizes: () => sizes,
    last: () => last,
    requests: () => server.requests(),
    fail: (...list) => faults.add(list),
    close: () => server.close(),
  };
}

function isGenuine(request: SimulatedRequest, id: string, { key, now }: { readonly key: string; readonly now: () => number }): boolean {
  const timestamp = request.headers["webhook-timestamp"];
  const header = request.headers["webhook-signature"];
  if (typeof timestamp !== "string" || !/^\d{10}$/.test(timestamp) || typeof header !== "string") return false;
  if (Math.abs(now() / 1000 - Number(timestamp)) > TOLERANCE_S) return false;
  const secret = Buffer.from(key.replace(/^whsec_/, ""), "base64");
  const expected = createHmac("sha256", secret).update(`${id}.${timestamp}.`).update(request.body).digest();
  return header.split(" ").some((one) => {
    const [version, value = ""] = one.split(",");
    const given = Buffer.from(value, "base64");
    return version === "v1" && given.length === expected.length && timingSafeEqual(given, expected);
  });
}

function messagesIn(text: string): readonly Message[] | undefined {
  try {
    const body = JSON.parse(text) as Message & { readonly data: Message["data"] | readonly Message[] };
    const list = body.type === "batch" ? (body.data as unknown as readonly Message[]) : [body];
    const good = list.every(
      ({ type, timestamp, data }) =>
        /^(?:alert|incident)\.(?:opened|updated|closed)$|^event\.observed$/.test(type) &&
        new Date(timestamp).toISOString() === timestamp &&
        typeof data.key === "string" &&
        Number.isInteger(data.revision) &&
        "class_uid" in data.ocsf,
    );
    return good && Array.isArray(list) && list.length > 0 ? list : undefined;
  } catch {
    return undefined;
  }
}
