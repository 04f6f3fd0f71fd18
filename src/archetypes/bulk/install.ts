/** Puts one object at a time onto a server over its API, and says whether that changed anything. */
import { Failure } from "../../core/errors.ts";
import { asObject, type Json } from "../../core/record.ts";
import { safeText } from "../../core/safe-text.ts";
import type { Context, Secret } from "../../ports/context.ts";
import type { SetupFile, SetupStep } from "../../ports/connector.ts";
import { answerObject, connectorFailure, type Answer } from "../http-exchange.ts";

/** Asks the server once, with the installer's credential. `body` is sent as JSON; a text as it is, with its own headers. */
export type Ask = (
  method: "GET" | "PUT" | "POST",
  path: string,
  body?: unknown,
  headers?: Readonly<Record<string, string>>,
) => Promise<Answer>;

/** Makes an `Ask` for one step. */
export type Asks = (context: Context, credential: Secret) => Ask;

/** An object with a path of its own: GET shows it, PUT creates or replaces it. */
export interface ApiObject {
  readonly name: string;
  /** Below the server's address, without query. */
  readonly path: string;
  /** Where the body goes as a file. */
  readonly file: string;
  readonly body: Json;
  /** The part of what GET answers that corresponds to `body`. */
  found(answer: Json): unknown;
  /** Query of a PUT that replaces what GET answered. */
  replacing?(answer: Json): string;
}

/** Counts up when an object loses something that an older setup had installed: only then is the difference not to be seen. */
export const SETUP_VERSION = 1;
/** Under the key `_meta` of objects that have one. */
export const SETUP_META = { custodes: { setup: String(SETUP_VERSION) } };

/** The object as a file, in the order in which it was written. */
export function fileOf(object: ApiObject): SetupFile {
  return { path: object.file, text: `${JSON.stringify(object.body, null, 2)}\n` };
}

/** Installs the object unless all of it is there. What a server adds by itself does not count as a difference. */
export function stepOf(object: ApiObject, asks: Asks): SetupStep {
  return {
    name: object.name,
    apply: async (context, credential) => {
      const ask = asks(context, credential);
      const present = await ask("GET", object.path);
      if (present.status !== 404) {
        const answer = jsonOf(present, object.name, credential);
        if (includes(object.found(answer), object.body)) return "unchanged";
        jsonOf(await ask("PUT", object.path + (object.replacing?.(answer) ?? ""), object.body), object.name, credential);
        return "changed";
      }
      jsonOf(await ask("PUT", object.path, object.body), object.name, credential);
      return "created";
    },
  };
}

/** Whether everything in `wanted` is in `present`; numbers and booleans may be texts there, as servers give settings back. */
export function includes(present: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted))
    return Array.isArray(present) && present.length === wanted.length && wanted.every((item, at) => includes(present[at], item));
  if (typeof wanted === "object" && wanted !== null) {
    const object = asObject(present);
    if (object === undefined) return false;
    return Object.entries(wanted).every(([key, value]) => includes(object[key], value) || isImplied(key, value, object));
  }
  return isScalar(present) && String(present) === String(wanted);
}

function isScalar(value: unknown): value is string | number | boolean {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

/** A mapping with properties is an object; servers leave the type out. */
function isImplied(key: string, value: unknown, present: Json): boolean {
  return key === "type" && value === "object" && present["type"] === undefined && present["properties"] !== undefined;
}

/** The JSON of a success. @throws {Failure} for any other answer, with what to do */
export function jsonOf(answer: Answer, name: string, credential: Secret): Json {
  if (answer.status < 200 || answer.status >= 300) throw refused(answer, name, credential);
  const json = answerObject(answer);
  if (json === undefined) throw connectorFailure("retryable", "HTTP_MALFORMED", `${name}: the answer is not JSON`);
  return json;
}

/** Longest reason of a server that is repeated, UTF-16 units: one sentence. */
const REASON_MAX = 300;

function refused(answer: Answer, name: string, credential: Secret): Failure {
  const { status } = answer;
  const text = `${name}: HTTP ${status}${reasonOf(answer, credential)}`;
  if (status === 401) return connectorFailure("permanent", "HTTP_DENIED", `${text}: the installer's credential was refused`);
  if (status === 403) return connectorFailure("permanent", "HTTP_DENIED", `${text}: the installer's credential may not do this`);
  if (status === 429) return connectorFailure("retryable", "HTTP_THROTTLED", text);
  if (status === 409 || status >= 500) return connectorFailure("retryable", "HTTP_UNAVAILABLE", text);
  return connectorFailure("permanent", "DESTINATION_CONFIG", text);
}

/** What the server says about our object: it holds no record, but a careless server could give the credential back. */
function reasonOf(answer: Answer, credential: Secret): string {
  const json = answerObject(answer);
  const error = asObject(json?.["error"]);
  const reason = error?.["reason"] ?? json?.["message"];
  if (typeof reason !== "string") return "";
  const secrets = [credential.reveal(), ...credential.reveal().split(":")].filter((secret) => secret.length > 3);
  return ` (${safeText(
    secrets.reduce((text, secret) => text.replaceAll(secret, "[secret]"), reason),
    REASON_MAX,
  )})`;
}
