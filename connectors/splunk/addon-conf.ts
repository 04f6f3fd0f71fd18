/** The add-on's .conf files (docs.splunk.com, the .conf.spec of each): what Splunk knows of our source types. */
import { INDEXED_FIELDS } from "./envelope.ts";
import { MODELS, type ModelName } from "./models.ts";

/** Stanzas in order, each with its settings in order. */
export type Stanzas = readonly (readonly [name: string, settings: Readonly<Record<string, string | number>>])[];

/** What of a configuration shows in the add-on. */
export interface AddonOptions {
  readonly sourcetype: string;
  readonly index?: string | undefined;
  readonly eventBytesMax: number;
  readonly notable: boolean;
  readonly risk: boolean;
}

/** Changes with every change of the add-on, so that an update is seen as one. */
const ADDON_VERSION = "1.0.0";

/** The text of a .conf file. Values are one line each. */
export function conf(comment: string, stanzas: Stanzas): string {
  const blocks = stanzas.map(([name, settings]) =>
    [`[${name}]`, ...Object.entries(settings).map(([key, value]) => `${key} = ${value}`)].join("\n"),
  );
  return [`# ${comment}`, ...blocks].join("\n\n") + "\n";
}

/** `app.conf` of an app. */
export function appConf(id: string, label: string, description: string, isVisible: boolean): string {
  return conf("Version and name.", [
    ["install", { is_configured: 1, state: "enabled" }],
    ["ui", { is_visible: isVisible ? 1 : 0, label }],
    ["launcher", { author: "Custodes", description, version: ADDON_VERSION }],
    ["package", { id, check_for_updates: 0 }],
    ["id", { name: id, version: ADDON_VERSION }],
  ]);
}

const models = Object.keys(MODELS) as ModelName[];

/** Fields of events that are lists: extraction calls their values `name{}`, CIM knows the name alone. */
const LISTS: Partial<Record<ModelName, readonly string[]>> = { change: ["object_attrs"], data_access: ["object_attrs"], dns: ["answer"] };

/** `props.conf`: HEC delivers JSON without breaking lines; these settings govern search time and very long events. */
export function propsConf({ sourcetype }: AddonOptions): string {
  const common = { KV_MODE: "json", SHOULD_LINEMERGE: "false", TRUNCATE: 0 };
  const agent = { "EVAL-custodes_agent": `coalesce('custodes.agent_name', 'custodes.agent_id', "unknown")` };
  const list = (name: string) => ({ [`EVAL-${name}`]: `mvdedup(mvappend('${name}{}', '${name}'))` });
  return conf("One stanza for each source type.", [
    ...["alert", "incident"].map((kind): Stanzas[number] => [
      `${sourcetype}:${kind}`,
      { ...common, ...agent, ...list("mitre_technique_id") },
    ]),
    ...models.map((model): Stanzas[number] => [
      `${sourcetype}:event:${model}`,
      { ...common, ...agent, ...Object.assign({}, ...(LISTS[model] ?? []).map(list)) },
    ]),
  ]);
}

/** Event types and their tags: by these the data models of the CIM find our events. */
function eventTypes({
  sourcetype,
}: AddonOptions): readonly { readonly name: string; readonly search: string; readonly tags: readonly string[] }[] {
  return [
    { name: "custodes_alert", search: `sourcetype="${sourcetype}:alert" OR sourcetype="${sourcetype}:incident"`, tags: ["alert"] },
    ...models.map((model) => ({
      name: `custodes_event_${model}`,
      search: `sourcetype="${sourcetype}:event:${model}"`,
      tags: MODELS[model],
    })),
    {
      name: "custodes_event_account",
      search: `sourcetype="${sourcetype}:event:change" object_category="user"`,
      tags: ["change", "account"],
    },
  ];
}

/** `eventtypes.conf`. */
export function eventtypesConf(options: AddonOptions): string {
  return conf(
    "tags.conf puts these into the data models.",
    eventTypes(options).map(({ name, search }) => [name, { search }]),
  );
}

/** `tags.conf`. */
export function tagsConf(options: AddonOptions): string {
  return conf(
    "The constraints of the data models.",
    eventTypes(options).map(({ name, tags }) => [`eventtype=${name}`, Object.fromEntries(tags.map((tag) => [tag, "enabled"]))]),
  );
}

/** `fields.conf`: without it a search for an indexed field looks for its value in the text of the event. */
export function fieldsConf(): string {
  return conf(
    "Indexed by the collector.",
    INDEXED_FIELDS.map((name) => [name, { INDEXED: "true" }]),
  );
}

/** `macros.conf`. */
export function macrosConf({ sourcetype, index }: AddonOptions): string {
  return conf("Change custodes_index in local/macros.conf when the index changes.", [
    ["custodes_index", { definition: index === undefined ? "index=*" : `index=${index}`, iseval: 0 }],
    ["custodes_alerts", { definition: `\`custodes_index\` sourcetype="${sourcetype}:alert"`, iseval: 0 }],
    ["custodes_incidents", { definition: `\`custodes_index\` sourcetype="${sourcetype}:incident"`, iseval: 0 }],
    ["custodes_events", { definition: `\`custodes_index\` sourcetype="${sourcetype}:event:*"`, iseval: 0 }],
    // A delivery may come twice under one key, and revisions in any order.
    ["custodes_latest", { definition: "dedup custodes_dedup | sort 0 - num(custodes_revision) | dedup custodes_id", iseval: 0 }],
  ]);
}

/** `limits.conf`: Splunk extracts fields of the first 5,000 bytes (`extraction_cutoff`) and 10,240 characters (`maxchars`) only. */
export function limitsConf({ eventBytesMax }: AddonOptions): string {
  return conf("For the whole instance: as much as the largest event that is sent.", [
    ["spath", { extraction_cutoff: eventBytesMax }],
    ["kv", { maxchars: Math.max(10_240, eventBytesMax) }],
  ]);
}

/** `metadata/default.meta`: what other apps see; the data models live in one of them. */
export function defaultMeta(): string {
  const exported = ["props", "eventtypes", "tags", "fields", "macros", "savedsearches"];
  return conf("Everybody reads, administrators write.", [
    ["", { access: "read : [ * ], write : [ admin, sc_admin ]" }],
    ...exported.map((name): Stanzas[number] => [name, { export: "system" }]),
  ]);
}
