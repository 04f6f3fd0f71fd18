/**
 * A strict Alertmanager: API v2 as its OpenAPI has it, and what its version 0.25 was seen to do (valid alerts of a batch are kept while others
 * are refused with 400, missing labels are 422, another content type is 415). Alerts are known by their labels.
 */
import { faultQueue, startLoopback, type HttpFault, type SimulatedAnswer } from "../../src/simulators/http-server.ts";

/** An alert as Alertmanager keeps it. */
export interface KeptAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt: string;
  readonly endsAt: string;
}

/** A running Alertmanager. */
export interface AlertmanagerSimulator {
  readonly url: string;
  received(): readonly KeptAlert[];
  /** Those that fire at a time. */
  firing(at: number): readonly KeptAlert[];
  requests(): number;
  fail(...faults: readonly HttpFault[]): void;
  close(): Promise<void>;
}

/** Starts it on a free loopback port. */
export async function startAlertmanagerSimulator(options: { readonly authorization?: string } = {}): Promise<AlertmanagerSimulator> {
  const faults = faultQueue<HttpFault>();
  const alerts = new Map<string, KeptAlert>();
  const server = await startLoopback<HttpFault>({
    fault: (request) => (request.method === "POST" ? faults.next() : undefined),
    handle: (request): SimulatedAnswer => {
      if (options.authorization !== undefined && request.headers.authorization !== options.authorization) return { status: 401 };
      if (request.path === "/api/v2/status" && request.method === "GET")
        return { status: 200, body: { versionInfo: { version: "0.25.0" } } };
      if (request.path !== "/api/v2/alerts") return { status: 404, body: "404 page not found" };
      if (request.method !== "POST") return { status: 405 };
      if (request.headers["content-type"] !== "application/json")
        return { status: 415, body: { code: 415, message: "unsupported media type" } };
      return store(request.body.toString("utf8"), alerts);
    },
  });
  return {
    url: server.url,
    received: () => [...alerts.values()],
    firing: (at) => [...alerts.values()].filter((one) => Date.parse(one.endsAt) > at),
    requests: () => server.requests(),
    fail: (...list) => faults.add(list),
    close: () => server.close(),
  };
}

function store(text: string, alerts: Map<string, KeptAlert>): SimulatedAnswer {
  let posted: unknown;
  try {
    posted = JSON.parse(text);
  } catch {
    return { status: 400, body: { code: 400, message: "parsing alerts body failed" } };
  }
  if (!Array.isArray(posted)) return { status: 422, body: { code: 602, message: "alerts in body must be of type array" } };
  const list = posted as readonly Partial<KeptAlert>[];
  if (list.some((one) => one.labels === undefined)) return { status: 422, body: { code: 602, message: "labels in body is required" } };
  const bad = list.filter((one) => !isValid(one as KeptAlert));
  for (const one of list) {
    if (bad.includes(one)) continue;
    const { labels = {} } = one;
    alerts.set(JSON.stringify(Object.entries(labels).sort(([one], [other]) => (one < other ? -1 : 1))), one as KeptAlert);
  }
  return bad.length === 0 ? { status: 200 } : { status: 400, body: JSON.stringify("invalid label set") };
}

function isValid({ labels, annotations, startsAt, endsAt }: KeptAlert): boolean {
  const named = (texts: Readonly<Record<string, string>>): boolean =>
    Object.entries(texts).every(([name, text]) => /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) && typeof text === "string" && text.isWellFormed());
  const filled = Object.values(labels).some((text) => text !== "");
  return filled && named(labels) && named(annotations) && Date.parse(startsAt) <= Date.parse(endsAt);
}
