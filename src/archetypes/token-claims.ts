/**
 * What a token says of itself (RFC 7519, RFC 8693). Signatures are never checked: whoever logged the token did or did
 * not, and the caller must know. Nothing here keeps the token.
 */
import type { EpochMs } from "../core/event.ts";
import { parseJson } from "../core/framing.ts";
import { asObject, parseTime, text, type Json } from "../core/record.ts";

/** Web servers refuse headers beyond 8 to 16 KiB; a longer token is none. */
const TOKEN_CHARS_MAX = 16_384;
/** An actor acts for an actor, and so on; deeper chains come from broken or hostile issuers. */
export const ACTORS_MAX = 8;

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** The claims of a JWT, also behind `Bearer `; undefined when the text is none. */
export function tokenClaims(token: string | undefined): Json | undefined {
  if (token === undefined || token.length > TOKEN_CHARS_MAX) return undefined;
  const [, payload] = /^(?:[Bb]earer +)?[\w-]+\.([\w-]+)\.[\w-]*$/.exec(token) ?? [];
  const decoded = payload === undefined ? undefined : fromBase64Url(payload);
  if (decoded === undefined) return undefined;
  try {
    return asObject(parseJson(decoded));
  } catch {
    // What is no JSON is no token, which is what undefined says.
    return undefined;
  }
}

/** `exp` as epoch milliseconds (NumericDate: seconds, possibly with a fraction; gateways pass it on as text). */
export function expiryOf(exp: unknown): EpochMs | undefined {
  return typeof exp === "number" || typeof exp === "string" ? parseTime(exp) : undefined;
}

/**
 * Who acts, then for whom, by the claim `act`: an object with `sub` and perhaps another `act`, the JSON text of one, or
 * a plain text. https://www.rfc-editor.org/rfc/rfc8693#section-4.1
 */
export function actorsOf(act: unknown): readonly string[] {
  let claim: unknown = act;
  if (typeof act === "string") {
    if (!act.startsWith("{")) return act === "" ? [] : [act].flatMap((one) => text(one) ?? []);
    try {
      claim = act.length > TOKEN_CHARS_MAX ? undefined : parseJson(act);
    } catch {
      return [];
    }
  }
  const actors: string[] = [];
  for (let one = asObject(claim); one !== undefined && actors.length < ACTORS_MAX; one = asObject(one["act"])) {
    const subject = text(one["sub"]);
    if (subject === undefined) break;
    actors.push(subject);
  }
  return actors;
}

function fromBase64Url(given: string): string | undefined {
  let escaped = "";
  let bits = 0;
  let count = 0;
  for (const digit of given) {
    bits = ((bits << 6) | DIGITS.indexOf(digit)) & 0xffff;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    escaped += `%${((bits >> count) & 0xff).toString(16).padStart(2, "0")}`;
  }
  try {
    return decodeURIComponent(escaped);
  } catch {
    return undefined;
  }
}
