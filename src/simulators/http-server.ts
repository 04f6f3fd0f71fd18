/**
 * A loopback HTTP server for simulators: reads bodies within a limit, answers through one handler, and injects
 * the faults that networks and vendors produce. Built on node: modules only, so that the demo can ship it.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A fault for one request (or `times` of them); faults are used up in the order in which they were given. */
export interface HttpFault {
  /** Answer with this status instead of the simulator's own. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Answer with exactly this body; without it a status alone answers with an empty body. */
  readonly body?: string;
  /**
   * What happens to the connection: `hang` never answers, `reset` closes it without an answer, `cut` carries the
   * request out and closes it in the middle of the answer's body, `trickle` answers without end, a blank at a time.
   */
  readonly connection?: "hang" | "reset" | "cut" | "trickle";
  /** The request is carried out first and only its answer is spoilt. Default false: it leaves no trace. */
  readonly stored?: boolean;
  /** How many requests it spoils. Default 1. */
  readonly times?: number;
}

/** A request as a simulator sees it. */
export interface SimulatedRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  /** As received, still compressed. */
  readonly body: Buffer;
}

/** What a simulator answers. */
export interface SimulatedAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** A string is sent as it is, anything else as JSON; undefined sends an empty body. */
  readonly body?: unknown;
}

/** A running loopback server. */
export interface LoopbackServer {
  /** `http://127.0.0.1:<port>`, without a final slash. */
  readonly url: string;
  /** Requests seen so far, faulty ones included. */
  requests(): number;
  /** Stops listening and breaks every open connection, hanging ones too. */
  close(): Promise<void>;
}

/** How a loopback server treats a request. */
export interface LoopbackOptions<F extends HttpFault> {
  /** Carries the request out. What it throws becomes a 500 with the message, so that a test can see it. */
  handle(request: SimulatedRequest, fault: F | undefined): SimulatedAnswer | Promise<SimulatedAnswer>;
  /** The fault for this request, if any; see `faultQueue`. */
  fault?(request: SimulatedRequest): F | undefined;
  /** 0 (default) takes any free port. */
  readonly port?: number;
}

/** Bodies beyond this break the connection: a simulator must not fill the memory of the machine that tests it. */
const BODY_MAX = 256 * 1024 * 1024;

/** Between two blanks of a trickling answer: shorter than any time-out that watches for silence. */
const TRICKLE_MS = 20;

/** Faults in the order in which they are to happen. */
export function faultQueue<F extends HttpFault>(): { add(faults: readonly F[]): void; next(): F | undefined } {
  const queue: F[] = [];
  return {
    add: (faults) => {
      for (const fault of faults) for (let index = 0; index < (fault.times ?? 1); index++) queue.push(fault);
    },
    next: () => queue.shift(),
  };
}

/** Starts a server on the loopback address; port 0 takes a free one. */
export async function startLoopback<F extends HttpFault>(options: LoopbackOptions<F>): Promise<LoopbackServer> {
  let requests = 0;
  const server = createServer((incoming, response) => {
    requests++;
    serve(incoming, response, options).catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(500, { "content-type": "text/plain" });
      response.end(`simulator: ${error instanceof Error ? error.message : "failed"}`);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requests: () => requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function serve<F extends HttpFault>(incoming: IncomingMessage, response: ServerResponse, options: LoopbackOptions<F>): Promise<void> {
  const url = new URL(incoming.url ?? "/", "http://127.0.0.1");
  const body = await readBody(incoming);
  const request: SimulatedRequest = {
    method: incoming.method ?? "GET",
    path: url.pathname,
    query: url.searchParams,
    headers: incoming.headers,
    body,
  };
  const fault = options.fault?.(request);
  const replaces = fault !== undefined && (fault.status !== undefined || fault.body !== undefined || fault.connection !== undefined);
  const answer = replaces && fault.stored !== true && fault.connection !== "cut" ? undefined : await options.handle(request, fault);
  if (fault?.connection === "hang") return;
  if (fault?.connection === "reset") {
    incoming.socket.destroy();
    return;
  }
  if (fault?.connection === "trickle") {
    trickle(response, fault.headers);
    return;
  }
  const status = fault?.status ?? answer?.status ?? 200;
  const text = fault?.body ?? (fault?.status !== undefined ? "" : bodyText(answer?.body));
  const headers = {
    ...(typeof answer?.body === "string" || text === "" ? {} : { "content-type": "application/json" }),
    ...answer?.headers,
    ...fault?.headers,
  };
  if (fault?.connection === "cut") {
    // A promised length that never comes: what a client sees when a peer dies in mid-answer.
    const bytes = Buffer.from(text === "" ? "{}" : text);
    response.writeHead(status, { ...headers, "content-length": bytes.length });
    response.write(bytes.subarray(0, Math.floor(bytes.length / 2)), () => incoming.socket.destroy());
    return;
  }
  response.writeHead(status, headers);
  response.end(text);
}

/** Never silent for long, never done: only a limit on the whole exchange ends it. */
function trickle(response: ServerResponse, headers: HttpFault["headers"]): void {
  response.writeHead(200, { "content-type": "application/json", ...headers });
  const timer = setInterval(() => response.write(" "), TRICKLE_MS);
  response.on("close", () => clearInterval(timer));
}

function bodyText(body: unknown): string {
  return body === undefined ? "" : typeof body === "string" ? body : JSON.stringify(body);
}

async function readBody(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > BODY_MAX) {
      incoming.socket.destroy();
      throw new Error("body larger than the simulator's limit");
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
