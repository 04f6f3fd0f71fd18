/**
 * A strict syslog server: octet counting (RFC 6587, RFC 5425), RFC 5424 messages by its grammar, CEF by its own rules. It reads to
 * the end of a connection and refuses what a reader could not split. Written from the documents, not from the sender.
 */
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";

/** One message, read. */
export interface SyslogMessage {
  readonly facility: number;
  readonly severity: number;
  readonly time: string;
  readonly host: string;
  readonly app: string;
  readonly messageId: string;
  /** Structured data: element id and its parameters, unescaped. */
  readonly data: ReadonlyMap<string, Readonly<Record<string, string>>>;
  readonly text: string;
}

/**
 * What happens to one connection: `reset` breaks it as soon as it stands; `reset-at-end` after all was read, instead of ending it; `early-end`
 * ends it before anything is read; `keep-open` reads and never ends it; `deaf` reads nothing.
 */
export type SyslogFault = "reset" | "reset-at-end" | "early-end" | "keep-open" | "deaf";

/** A running server. */
export interface SyslogSimulator {
  readonly port: number;
  /** Messages in the order in which they came. */
  received(): readonly SyslogMessage[];
  /** What it could not read, in words. */
  errors(): readonly string[];
  connections(): number;
  fail(...faults: readonly SyslogFault[]): void;
  close(): Promise<void>;
}

/** With `tls` it speaks nothing else. `bytesMax`: longer messages are errors, as servers cut them. */
export async function startSyslogSimulator(
  options: { readonly tls?: TlsOptions; readonly bytesMax?: number } = {},
): Promise<SyslogSimulator> {
  const received: SyslogMessage[] = [];
  const errors: string[] = [];
  const faults: SyslogFault[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const serve = (socket: Socket): void => {
    connections++;
    socket.on("error", () => undefined);
    const fault = faults.shift();
    if (fault === "reset") return void socket.resetAndDestroy();
    if (fault === "early-end") return void socket.end();
    if (fault === "deaf") return void socket.pause();
    const chunks: Buffer[] = [];
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("end", () => {
      try {
        for (const frame of framesIn(Buffer.concat(chunks), options.bytesMax ?? 1_000_000)) received.push(readMessage(frame));
      } catch (error) {
        errors.push(error instanceof Error ? error.message : String(error));
      }
      if (fault === "reset-at-end") socket.resetAndDestroy();
      else if (fault !== "keep-open") socket.end();
    });
  };
  const server: Server =
    options.tls === undefined
      ? createServer({ allowHalfOpen: true }, serve)
      : createTlsServer({ ...options.tls, allowHalfOpen: true } as TlsOptions, serve);
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    received: () => received,
    errors: () => errors,
    connections: () => connections,
    fail: (...list) => void faults.push(...list),
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

/** `MSG-LEN SP SYSLOG-MSG`, again and again; MSG-LEN is the length in octets and begins with no zero. */
function framesIn(bytes: Buffer, bytesMax: number): string[] {
  const frames: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const blank = bytes.indexOf(0x20, at);
    const count = bytes.toString("latin1", at, blank);
    if (blank < 0 || !/^[1-9]\d{0,9}$/.test(count)) throw new Error("no octet count");
    const end = blank + 1 + Number(count);
    if (end > bytes.length) throw new Error("the stream ends within a message");
    if (Number(count) > bytesMax) throw new Error(`a message of ${count} bytes`);
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes.subarray(blank + 1, end));
    frames.push(text);
    at = end;
  }
  return frames;
}

const HEADER =
  /^<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)) ([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) /;
const ELEMENT = /^\[([!#-<>-\\^-~]{1,32})((?: [!#-<>-\\^-~]{1,32}="(?:[^"\\\]]|\\["\\\]])*")*)\]/;

function readMessage(frame: string): SyslogMessage {
  const header = HEADER.exec(frame);
  if (header === null) throw new Error("no RFC 5424 header");
  const [whole, priority = "", time = "", host = "", app = "", , messageId = ""] = header;
  if (Number(priority) > 191 || Number.isNaN(Date.parse(time))) throw new Error("no priority or time");
  let rest = frame.slice(whole.length);
  const data = new Map<string, Record<string, string>>();
  if (rest.startsWith("- ")) rest = rest.slice(2);
  else {
    for (let element = ELEMENT.exec(rest); element !== null; element = ELEMENT.exec(rest)) {
      const parameters = [...(element[2] ?? "").matchAll(/ ([^=]+)="((?:[^"\\\]]|\\["\\\]])*)"/g)];
      data.set(element[1] ?? "", Object.fromEntries(parameters.map(([, name, value]) => [name, (value ?? "").replaceAll(/\\(.)/g, "$1")])));
      rest = rest.slice(element[0].length);
    }
    if (data.size === 0 || !rest.startsWith(" ")) throw new Error("no structured data");
    rest = rest.slice(1);
  }
  // RFC 5424 allows controls in MSG; a reader that writes lines to a file does not survive them.
  if (/\p{Cc}/u.test(rest)) throw new Error("a control character in the message");
  return { facility: Number(priority) >> 3, severity: Number(priority) & 7, time, host, app, messageId, data, text: rest };
}

/** A CEF message, read by the standard's rules: seven header fields, then `key=value` pairs. */
export interface Cef {
  readonly header: readonly string[];
  readonly severity: number;
  readonly extension: Readonly<Record<string, string>>;
}

/** @throws {Error} for anything that the standard does not allow */
export function readCef(text: string): Cef {
  const match =
    /^CEF:[01]\|((?:[^\\|]|\\[\\|])*)\|((?:[^\\|]|\\[\\|])*)\|((?:[^\\|]|\\[\\|])*)\|((?:[^\\|]|\\[\\|])*)\|((?:[^\\|]|\\[\\|])*)\|(\d+)\|/.exec(
      text,
    );
  if (match === null) throw new Error("no CEF header");
  const [whole, ...fields] = match;
  const severity = Number(fields.pop());
  if (severity > 10) throw new Error("no severity");
  const extension: Record<string, string> = {};
  let rest = text.slice(whole.length);
  while (rest !== "") {
    // A value reaches to the blank before the next key, or to the end.
    const pair = /^([A-Za-z][A-Za-z0-9]*)=((?:[^\\=]|\\[\\=rn])*?)(?: (?=[A-Za-z][A-Za-z0-9]*=)|$)/.exec(rest);
    if (pair === null) throw new Error(`no pair: ${rest.slice(0, 60)}`);
    const [all, key = "", value = ""] = pair;
    if (Object.hasOwn(extension, key)) throw new Error(`${key} stands twice`);
    if (value === "" || value.trim() !== value) throw new Error(`${key} has no value, or blanks at its ends`);
    extension[key] = value.replaceAll(/\\(.)/g, "$1");
    rest = rest.slice(all.length);
  }
  return { header: fields.map((field) => field.replaceAll(/\\(.)/g, "$1")), severity, extension };
}
