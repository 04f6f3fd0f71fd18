/** A strict reader of Splunk's .conf files: what a lenient one would pass over is an error here. */

/** Settings by stanza. */
export type Conf = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** Reads a file. @throws {Error} with the line for anything that Splunk would ignore, merge or continue */
export function readConf(text: string): Conf {
  const stanzas = new Map<string, Map<string, string>>();
  let stanza: Map<string, string> | undefined;
  if (!text.endsWith("\n")) throw new Error("the last line does not end");
  for (const [index, line] of text.split("\n").entries()) {
    const fail = (why: string): never => {
      throw new Error(`line ${index + 1}: ${why}: ${line}`);
    };
    if (line === "" || line.startsWith("#")) continue;
    if (line !== line.trim()) fail("blanks at an end");
    if (line.endsWith("\\")) fail("goes on in the next line");
    const header = /^\[(.*)\]$/.exec(line);
    if (header !== null) {
      const name = header[1]!;
      if (stanzas.has(name)) fail("a second stanza of this name");
      stanzas.set(name, (stanza = new Map()));
      continue;
    }
    const [, key, value] = /^([A-Za-z0-9_.:-]+) = (.+)$/.exec(line) ?? fail("neither a stanza nor a setting");
    if (stanza === undefined) fail("a setting outside of a stanza");
    if (stanza!.has(key!)) fail("a second setting of this name");
    stanza!.set(key!, value!);
  }
  for (const [name, settings] of stanzas) if (settings.size === 0) throw new Error(`the stanza ${name} is empty`);
  return stanzas;
}

const bool = /^(0|1|true|false)$/;
const text = /^.+$/;
const count = /^\d+$/;
const time = /^(now|[+-]\d+[smhdw](@[smhdw])?)$/;
const name = /^[A-Za-z_][\w.]*$/;

type Spec = readonly (readonly [stanza: RegExp, settings: Readonly<Record<string, RegExp>>])[];

/** Settings that the .conf.spec files have, as far as an add-on of ours may use them; keys are patterns. */
const SPECS: Readonly<Record<string, Spec>> = {
  "app.conf": [
    [/^install$/, { is_configured: bool, state: /^(enabled|disabled)$/ }],
    [/^ui$/, { is_visible: bool, label: text }],
    [/^launcher$/, { author: text, description: text, version: /^\d+\.\d+\.\d+$/ }],
    [/^package$/, { id: /^[A-Za-z][\w-]{0,99}$/, check_for_updates: bool }],
    [/^id$/, { name: /^[A-Za-z][\w-]{0,99}$/, version: /^\d+\.\d+\.\d+$/ }],
  ],
  "props.conf": [
    [
      /^[\w:.-]+$/,
      { KV_MODE: /^(none|auto|auto_escaped|multi|json|xml)$/, SHOULD_LINEMERGE: bool, TRUNCATE: count, "EVAL-[A-Za-z_]\\w*": text },
    ],
  ],
  "fields.conf": [[/^[a-z_]+$/, { INDEXED: bool }]],
  "eventtypes.conf": [[/^[a-z_]+$/, { search: text }]],
  "tags.conf": [[/^eventtype=[a-z_]+$/, { "[a-z]+": /^enabled$/ }]],
  "macros.conf": [[/^[a-z_]+$/, { definition: text, iseval: bool }]],
  "limits.conf": [
    [/^spath$/, { extraction_cutoff: count }],
    [/^kv$/, { maxchars: count }],
  ],
  "default.meta": [
    [
      /^(|props|eventtypes|tags|fields|macros|savedsearches|views)$/,
      { access: /^read : \[.+\], write : \[.+\]$/, export: /^(system|none)$/ },
    ],
  ],
  "savedsearches.conf": [
    [
      /^Custodes - [A-Za-z -]{1,70}$/,
      {
        description: text,
        search: text,
        disabled: bool,
        is_visible: bool,
        cron_schedule: /^(\S+ ){4}\S+$/,
        enableSched: bool,
        realtime_schedule: bool,
        schedule_window: /^(auto|\d+)$/,
        "dispatch\\.(earliest|latest)_time": time,
        counttype: /^(number of (events|hosts|sources)|always|custom)$/,
        relation: /^(greater than|less than|equal to|not equal to)$/,
        quantity: count,
        "alert\\.digest_mode": bool,
        "alert\\.suppress": bool,
        "alert\\.suppress\\.fields": /^[\w.]+(,[\w.]+)*$/,
        "alert\\.suppress\\.period": /^\d+[smhd]$/,
        "action\\.correlationsearch\\.enabled": bool,
        "action\\.correlationsearch\\.label": text,
        "action\\.notable": bool,
        "action\\.notable\\.param\\.(rule_title|rule_description|drilldown_name|drilldown_search)": text,
        "action\\.notable\\.param\\.security_domain": /^(access|endpoint|network|identity|threat|audit)$/,
        "action\\.notable\\.param\\.severity": /^(informational|low|medium|high|critical)$/,
        "action\\.notable\\.param\\.nes_fields": name,
        "action\\.risk": bool,
        "action\\.risk\\.param\\._risk": /^\[.+\]$/,
        "action\\.risk\\.param\\._risk_message": text,
        "action\\.risk\\.param\\._risk_score": count,
        "action\\.risk\\.param\\.verbose": bool,
      },
    ],
  ],
};

/** What of a file is not in its specification. */
export function outsideSpec(file: string, conf: Conf): readonly string[] {
  const spec = SPECS[file];
  if (spec === undefined) return [`${file}: no such file`];
  return [...conf].flatMap(([stanza, settings]) => {
    const known = spec.find(([pattern]) => pattern.test(stanza))?.[1];
    if (known === undefined) return [`${file}: [${stanza}]`];
    return [...settings].flatMap(([key, value]) => {
      const pattern = Object.entries(known).find(([one]) => new RegExp(`^${one}$`).test(key))?.[1];
      return pattern?.test(value) === true ? [] : [`${file}: [${stanza}] ${key} = ${value}`];
    });
  });
}
