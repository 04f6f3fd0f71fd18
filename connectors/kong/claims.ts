/**
 * What the caller's token says: from the headers by which a plugin passes its claims on, else from the token itself
 * where a log holds it (Kong redacts the header from 2.x on). Parsed, never checked, never kept.
 */
import { linkTexts, proven } from "../../src/archetypes/links.ts";
import { actorsOf, expiryOf, tokenClaims } from "../../src/archetypes/token-claims.ts";
import type { EpochMs, Event } from "../../src/core/event.ts";
import { asObject, suppliedText, text, type Json } from "../../src/core/record.ts";

/** Header names of the claims. */
export interface ClaimNames {
  readonly sub: string;
  readonly act: string;
  readonly scope: string;
  readonly purpose: string;
  readonly jti: string;
  readonly exp: string;
}

/** Where the claims that only links need are read, and what of them is believed. */
export interface ClaimSource {
  readonly headers: Json;
  readonly names: ClaimNames;
  /** Tell whose each token is. */
  readonly linkTokens: boolean;
  /** The gateway wrote the claims itself, from tokens that it had checked. */
  readonly trustClaims: boolean;
  /** What Kong itself calls the caller. */
  readonly caller: ReadonlySet<string>;
}

/** The claims that an event or its links use. */
export interface Claims {
  /** `""`: the token has none. */
  readonly subject: string | undefined;
  readonly purpose: string | undefined;
  /** As the token writes them, in one text. */
  readonly scope: unknown;
  /** Who acts, then for whom. */
  readonly actors: readonly string[];
  /** The token itself, where the log holds it. */
  readonly token: Json | undefined;
}

/** Names of the headers that start with the prefix. */
export function claimNames(prefix: string): ClaimNames {
  const name = (claim: string): string => `${prefix}${claim}`;
  return { sub: name("sub"), act: name("act"), scope: name("scope"), purpose: name("purpose"), jti: name("jti"), exp: name("exp") };
}

/** The claims of one request. */
export function claimsOf(headers: Json, names: ClaimNames): Claims {
  const token = loggedToken(headers["authorization"]);
  const act = headers[names.act];
  return {
    subject: suppliedHeader(headers, names.sub) ?? text(token?.["sub"]),
    purpose: suppliedHeader(headers, names.purpose) ?? text(token?.["purpose"]),
    scope: headers[names.scope] ?? token?.["scope"],
    actors: act === undefined && token === undefined ? NOBODY : actorsOf((Array.isArray(act) ? act[0] : act) ?? token?.["act"]),
    token,
  };
}

const NOBODY: readonly string[] = [];

/** `Bearer ` and three parts, of which two hold a claim at least. */
const SHORTEST = 24;

/** Every JWT begins with the Base64 of `{"`, so that nothing else is looked at twice. */
function loggedToken(authorization: unknown): Json | undefined {
  // Almost all are the one word REDACTED.
  if (typeof authorization !== "string" || authorization.length < SHORTEST) return undefined;
  return /^bearer +eyJ/i.test(authorization) ? tokenClaims(authorization) : undefined;
}

/** The names by which Kong knows who called: those of its consumer, and of the credential that it checked. */
export function callerOf(entry: Json): ReadonlySet<string> {
  const consumer = asObject(entry["consumer"]);
  const entity = asObject(entry["authenticated_entity"]);
  const names = [consumer?.["custom_id"], consumer?.["username"], consumer?.["id"], entity?.["consumer_id"], entity?.["id"]];
  return new Set(names.flatMap((name) => text(name) ?? []));
}

/** For whom the caller acts; when the claims do not name the caller, the first whom they do name. */
export function delegatorOf(claims: Claims, caller: ReadonlySet<string>): string | undefined {
  const chain = chainOf(claims);
  const at = chain.findIndex((name) => caller.has(name));
  return claims.actors.length === 0 ? undefined : chain[at + 1];
}

/** Who acts, then for whom, up to the token's subject. */
function chainOf({ actors, subject }: Claims): readonly string[] {
  return subject === undefined || subject === "" ? actors : [...actors, subject];
}

/**
 * Each actor acts for the next, and the last for the token's subject, until the token expires. The log does not show
 * whether a claim comes from a token that was checked or from the caller: whoever calls is believed when he names whom he
 * spawned, the one before him; for whom he acts himself only with `trustClaims`, or he could make himself anybody's child.
 * Token ids are told only where asked for: a fleet uses a new one every hour.
 */
export function claimLinks(event: Event, claims: Claims, from: ClaimSource): readonly string[] | undefined {
  const { actors, token } = claims;
  const { headers, names, linkTokens, trustClaims, caller } = from;
  if (actors.length === 0 && !linkTokens) return undefined;
  const until: EpochMs | undefined = expiryOf(header(headers, names.exp) ?? token?.["exp"]);
  const id = header(headers, names.jti) ?? text(token?.["jti"]);
  const chain = chainOf(claims);
  const at = chain.findIndex((name) => caller.has(name));
  const isBelieved = (index: number): boolean => at >= 0 && (trustClaims || index === at - 1);
  const first = at === 0 || isBelieved(0) ? actors[0] : undefined;
  return linkTexts([
    ...actors.map((actor, index) => (isBelieved(index) ? proven(["agent", actor], ["agent", chain[index + 1]], { until }) : undefined)),
    linkTokens ? proven(["cred", id], ["client", event.clientUid], { until }) : undefined,
    linkTokens ? proven(["cred", id], ["agent", first], { until }) : undefined,
  ]);
}

/** A header's value; of several the first. */
export function header(headers: Json, name: string): string | undefined {
  const value = headers[name];
  return text(Array.isArray(value) ? (value as readonly unknown[])[0] : value);
}

function suppliedHeader(headers: Json, name: string): string | undefined {
  return Array.isArray(headers[name]) ? header(headers, name) : suppliedText(headers, name);
}
