/**
 * How hard it is to undo what an event did. A table of words: the first class that one of an action's words is in decides.
 * Words beat methods, because many APIs do everything with POST. Doubt goes to the graver class of the two next to it.
 */
import type { Event } from "../event.ts";

/** Gravest first. `irreversible`: cannot be undone. `by hand`: somebody has to undo it. `reversible`: drafts and flags. `read`: nothing changed. */
export const REVERSIBILITY = ["irreversible", "by hand", "reversible", "read"] as const;
/** One class. */
export type Reversibility = (typeof REVERSIBILITY)[number];

/** Money, deletion, credentials that were handed out, messages that were sent, data that left, what was run. */
const WORDS: Readonly<Record<Reversibility, string>> = {
  irreversible: `
    wire pay payment payments payout payouts transfer transfers refund refunds charge charges purchase
    delete deletes remove destroy drop truncate purge erase wipe terminate deletecollection unlink
    impersonate passrole assumerole accesskey loginprofile
    send sends sent email emails mail sms publish notify tweet share
    export exfiltrate upload exec execute shell bash terminal command deploy sign approve merge`,
  reversible: "draft drafts flag flags label labels tag tags bookmark preview dryrun simulate validate",
  "by hand": `
    grant grants attach permission permissions policy policies rolebinding rolebindings clusterrolebinding
    clusterrolebindings privilege privileges create add insert put update patch modify edit write set change replace upsert move rename
    start stop reboot restart scale enable disable lock unlock suspend revoke rotate register run`,
  read: "get list describe head read search query watch lookup find fetch view count check download",
};
/** What is decided in this order: a draft of an e-mail is a draft. */
const ORDER: readonly Reversibility[] = ["reversible", "irreversible", "by hand", "read"];
const CLASS_OF = new Map(
  ORDER.toReversed().flatMap((name) =>
    WORDS[name]
      .trim()
      .split(/\s+/)
      .map((word) => [word, name] as const),
  ),
);
const BY_METHOD: Readonly<Record<string, Reversibility>> = {
  GET: "read",
  HEAD: "read",
  OPTIONS: "read",
  DELETE: "irreversible",
  POST: "by hand",
  PUT: "by hand",
  PATCH: "by hand",
};
/** Tools of one turn that are looked at. */
const TOOLS_MAX = 50;
/** A longer name is no action's name; its first words say enough. */
const NAME_MAX = 512;

/** The class of an event; undefined for what is no action of the agent (a sign-in, a name looked up, a monitor's finding). */
export function reversibilityOf(event: Event): Reversibility | undefined {
  switch (event.category) {
    case "agent_api":
      return ofCall(event);
    case "infra_change":
      if (event.grant !== undefined && event.grant !== "") return "by hand";
      return byWords([event.infraAction ?? event.operation]) ?? (event.isChange === false ? "read" : "by hand");
    case "egress":
      // What left for a host that nobody allowed cannot be called back; allowed traffic is how the other actions travel.
      return event.dstAllowed === false && (event.bytesOut ?? 0) > 0 ? "irreversible" : undefined;
    case "credential":
      return byWords([event.operation]) ?? "by hand";
    case "process":
      return "by hand";
    case "file":
      return byWords([event.operation]) ?? "read";
    case "authentication":
    case "dns":
    case "agent_finding":
      return undefined;
  }
}

/** A tool says more than the route, and the route more than the method, but no word of a path makes a GET a change. */
function ofCall(event: Event): Reversibility | undefined {
  const method = BY_METHOD[event.method?.toUpperCase() ?? ""];
  const tool = byWords([event.toolName, ...(event.toolNames ?? []).slice(0, TOOLS_MAX)]);
  if (tool !== undefined) return tool;
  if (method === "read" || method === "irreversible") return method;
  const named = byWords([event.method === undefined ? event.operation : undefined, event.urlPath, event.routeName]);
  return named === "read" && method !== undefined ? method : (named ?? method);
}

function byWords(names: readonly (string | undefined)[]): Reversibility | undefined {
  const words = names.flatMap((name) => (name === undefined ? [] : wordsOf(name.slice(0, NAME_MAX))));
  const found = new Set(words.map((word) => CLASS_OF.get(word)));
  return ORDER.find((name) => found.has(name));
}

/** `aws:iam:CreateAccessKey` -> aws, iam, create, access, key, and each two of them as one: createaccess, accesskey. */
function wordsOf(name: string): string[] {
  const spaced = name.replace(/([a-z0-9])([A-Z])/g, "$1 $2");
  const words = spaced.toLowerCase().split(/[^a-z0-9]+/);
  return [...words, ...words.slice(1).map((word, index) => `${words[index]}${word}`)];
}
