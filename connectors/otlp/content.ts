/** Prompts, completions and arguments: looked at here, hashed or searched, and left behind. */
import { canonicalJson, text } from "../../src/core/record.ts";
import { secretsIn } from "../../src/core/secret-patterns.ts";
import type { NormalizeContext } from "../../src/ports/connector.ts";
import { attributesOf, valueOf, type Attributes } from "./attributes.ts";
import type { Envelope } from "./envelope.ts";

/** Attributes that hold what a model answered: the present name, the one before, OpenInference's. */
const OUTPUT: ReadonlySet<string> = new Set(["gen_ai.output.messages", "gen_ai.completion", "output.value"]);
/** The same, flattened into one attribute per message and member. */
const OUTPUT_PREFIXES = ["gen_ai.completion.", "llm.output_messages."];
/** Events that hold an answer in their body or attributes. */
const OUTPUT_EVENTS: ReadonlySet<string> = new Set(["gen_ai.choice", "gen_ai.assistant.message", "gen_ai.content.completion"]);

/** Texts of one record that are looked into; an answer has a handful of parts. */
const TEXTS_MAX = 1000;

/** The hash of a tool's arguments: of the text as given, or of the canonical JSON of a structure. */
export function argumentsHash(value: unknown, context: NormalizeContext): string | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  return context.sha256(typeof value === "string" ? value : canonicalJson(value));
}

/** Names of the secret patterns that the answers in a record hold, sorted as the table is. */
export function outputSecrets(envelope: Envelope): readonly string[] {
  const texts: string[] = [];
  collectAttributes(envelope.attributes, OUTPUT_EVENTS.has(envelope.name), texts);
  if (OUTPUT_EVENTS.has(envelope.name)) collect(valueOf(envelope.raw["body"]), texts);
  const events = envelope.raw["events"];
  if (Array.isArray(events)) {
    for (const event of events as readonly { readonly name?: unknown; readonly attributes?: unknown }[]) {
      const name = text(event?.name) ?? "";
      if (texts.length < TEXTS_MAX) collectAttributes(attributesOf(event?.attributes), OUTPUT_EVENTS.has(name), texts);
    }
  }
  return texts.length === 0 ? [] : secretsIn(texts.join("\n"));
}

function collectAttributes(attributes: Attributes, all: boolean, texts: string[]): void {
  for (const [key, value] of attributes) {
    if (all || OUTPUT.has(key) || OUTPUT_PREFIXES.some((prefix) => key.startsWith(prefix))) collect(value, texts);
  }
}

/** The depth of values is bounded by whoever decoded the request. */
function collect(value: unknown, texts: string[]): void {
  if (texts.length >= TEXTS_MAX) return;
  if (typeof value === "string") texts.push(value);
  else if (Array.isArray(value)) for (const item of value) collect(item, texts);
}
