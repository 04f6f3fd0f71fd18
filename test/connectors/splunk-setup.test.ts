import { describe, expect, it } from "vitest";
import type { Config } from "../../connectors/splunk/config.ts";
import { MODELS } from "../../connectors/splunk/models.ts";
import splunk from "../../connectors/splunk/splunk.ts";
import type { Delivery } from "../../src/ports/connector.ts";
import { testSecret } from "../fixtures/context.ts";
import { referenceJson } from "../fixtures/reference.ts";
import { alertSubject, delivery, incidentSubject } from "../fixtures/subjects.ts";
import { outsideSpec, readConf, type Conf } from "./splunk-conf.ts";
import { eventDelivery, FULL } from "./splunk-events.ts";
import { expand, fieldsLeft, type FieldsOf } from "./splunk-spl.ts";

const BASE = { url: "https://splunk.example.com:8088", token: testSecret("t") };
const configured = (changes: object = {}): Config => splunk.config.parse({ ...BASE, ...changes });
const filesOf = (settings?: Config): Map<string, string> => new Map(splunk.setup!(settings).files.map(({ path, text }) => [path, text]));

const CASES: readonly (readonly [string, Config | undefined])[] = [
  ["without a configuration", undefined],
  ["with defaults", configured()],
  [
    "with everything",
    configured({ index: "sec_agents", sourcetype: "acme:agents", notable: true, risk: true, eventBytesMax: 50_000, acknowledge: true }),
  ],
];

describe.each(CASES)("the add-on %s", (_, settings) => {
  const files = filesOf(settings);
  const prefix = settings?.sourcetype ?? "custodes";
  const conf = (name: string): Conf => readConf(files.get(`TA-custodes/default/${name}.conf`)!);
  const macros = new Map([...conf("macros")].map(([name, of]) => [name, of.get("definition")!]));
  const saved = [...conf("savedsearches")];
  const panels = [...files.get("TA-custodes/default/data/ui/views/custodes_overview.xml")!.matchAll(/<query>([^<]*)<\/query>/g)].map(
    ([, text]) => text!.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&"),
  );
  const fieldsOf: FieldsOf = (pattern) => {
    const found = [...rendered(settings ?? configured())].filter(([sourcetype]) => pattern.test(sourcetype));
    if (found.length === 0) throw new Error(`nothing has a source type ${pattern}`);
    const calculated = found.flatMap(([sourcetype]) => [...(conf("props").get(sourcetype)?.keys() ?? [])]);
    const names = calculated.filter((key) => key.startsWith("EVAL-")).map((key) => key.slice("EVAL-".length));
    return new Set([...found.flatMap(([, fields]) => [...fields]), ...names]);
  };
  const left = (search: string): ReadonlySet<string> => fieldsLeft(expand(search, macros), fieldsOf);

  it("has files whose every stanza and setting Splunk knows", () => {
    const read = [...files].filter(([path]) => /\.(conf|meta)$/.test(path));
    expect(read.length).toBeGreaterThanOrEqual(9);
    for (const [path, text] of read) expect(outsideSpec(path.split("/").at(-1)!, readConf(text)), path).toEqual([]);
    for (const path of files.keys()) expect(path).toMatch(/^TA-custodes(-limits)?\/(default|metadata|README\.md)/);
  });

  it("has no limits in the app that Splunk Cloud must take, and as much as the largest event in the other", () => {
    expect([...files.keys()].filter((path) => path.endsWith("limits.conf"))).toEqual(["TA-custodes-limits/default/limits.conf"]);
    const limits = readConf(files.get("TA-custodes-limits/default/limits.conf")!);
    expect(Number(limits.get("spath")?.get("extraction_cutoff"))).toBe(settings?.eventBytesMax ?? 10_000);
    expect(Number(limits.get("kv")?.get("maxchars"))).toBeGreaterThanOrEqual(settings?.eventBytesMax ?? 10_240);
  });

  it("has settings for each source type that is sent, and for no other", () => {
    expect([...conf("props").keys()].sort()).toEqual([...rendered(settings ?? configured()).keys()].sort());
    for (const of of conf("props").values()) expect([of.get("KV_MODE"), of.get("TRUNCATE")]).toEqual(["json", "0"]);
  });

  it("calculates fields from fields that are there", () => {
    for (const [sourcetype, of] of conf("props")) {
      const fields = rendered(settings ?? configured()).get(sourcetype)!;
      for (const [key, expression] of of) {
        if (!key.startsWith("EVAL-")) continue;
        const used = [...expression.matchAll(/'([^']+)'/g)].map(([, name]) => name!);
        expect(used.length).toBeGreaterThan(0);
        // A list is extracted as name{}; one of one value may come either way.
        for (const name of used) expect(fields.has(name) || fields.has(`${name}{}`), `${sourcetype}: ${name}`).toBe(true);
      }
    }
  });

  it("gives every list that CIM names its CIM name", () => {
    for (const [sourcetype, fields] of rendered(settings ?? configured()))
      for (const field of fields) {
        if (!field.endsWith("{}") || field.includes(".")) continue;
        expect(
          conf("props")
            .get(sourcetype)
            ?.has(`EVAL-${field.slice(0, -2)}`),
          `${sourcetype} ${field}`,
        ).toBe(true);
      }
  });

  it("tags every event type, and every source type has one", () => {
    const types = conf("eventtypes");
    const tags = conf("tags");
    expect([...tags.keys()].sort()).toEqual([...types.keys()].map((name) => `eventtype=${name}`).sort());
    const searches = [...types.values()].map((of) => of.get("search")!);
    for (const sourcetype of rendered(settings ?? configured()).keys())
      expect(
        searches.some((search) => search.includes(`sourcetype="${sourcetype}"`)),
        sourcetype,
      ).toBe(true);
    for (const search of searches) expect(() => left(search)).not.toThrow();
    for (const [model, expected] of Object.entries(MODELS))
      expect([...tags.get(`eventtype=custodes_event_${model}`)!.keys()]).toEqual([...expected]);
    expect([...tags.get("eventtype=custodes_alert")!.keys()]).toEqual(["alert"]);
    const cim = referenceJson<{ objects: readonly { tags: readonly (readonly string[])[] }[] }>(
      "reference/cim/pytest-splunk-addon-data_models/Alerts.json",
    );
    if (cim !== undefined) expect(cim.objects[0]!.tags).toEqual([["alert"]]);
  });

  it("says of every indexed field that it is one", () => {
    const { fields } = JSON.parse(body(delivery(alertSubject(), "splunk/main"), configured())) as { fields: object };
    expect([...conf("fields").keys()].sort()).toEqual(Object.keys(fields).sort());
  });

  it("searches only for fields that are sent, in searches, panels and macros", () => {
    expect(panels.length).toBeGreaterThanOrEqual(8);
    expect(saved.length).toBeGreaterThanOrEqual(11);
    for (const search of [...saved.map(([, of]) => of.get("search")!), ...panels]) expect(left(search).size, search).toBeGreaterThan(0);
  });

  it("leaves repeats and old revisions out wherever it counts or lists", () => {
    for (const search of [...saved.map(([, of]) => of.get("search")!), ...panels]) {
      const expanded = expand(search, macros);
      const isSafe =
        expanded.includes("dedup custodes_dedup") || /dc\(custodes_(id|dedup)\)/.test(expanded) || expanded.includes("by custodes_dedup");
      expect(isSafe, search).toBe(true);
    }
  });

  it("names only fields in actions that their search leaves", () => {
    const rules = saved.filter(([name]) => name.endsWith("Rule"));
    expect(rules).toHaveLength(8);
    for (const [name, of] of rules) {
      const fields = left(of.get("search")!);
      const tokens = [...of.values()].flatMap((value) => [...value.matchAll(/\$([\w.]+)\$/g)].map(([, token]) => token!));
      const risk = JSON.parse(of.get("action.risk.param._risk") ?? "[]") as Record<string, string>[];
      const objects = risk.map((one) => one["risk_object_field"] ?? one["threat_object_field"]!);
      const suppressed = of.get("alert.suppress.fields")!.split(",");
      for (const field of [...tokens, ...objects, ...suppressed, "custodes_id", "_time"])
        expect(fields.has(field), `${name}: ${field}`).toBe(true);
      for (const object of risk) if (object["risk_object_field"] !== undefined) expect(Number(object["risk_score"])).toBeGreaterThan(0);
      const drilldown = of.get("action.notable.param.drilldown_search");
      if (drilldown !== undefined) expect(left(drilldown.replaceAll(/\$[\w.]+\$/g, "x")).has("custodes_id")).toBe(true);
    }
  });

  it("makes notable events and risk only where it is configured", () => {
    for (const [name, of] of saved) {
      if (!name.endsWith("Rule")) expect([...of.keys()].filter((key) => key.startsWith("action."))).toEqual([]);
      else {
        const wanted = name.includes("Risk") ? settings?.risk === true : settings?.notable === true;
        expect(of.get("disabled"), name).toBe(wanted ? "0" : "1");
        expect([of.get("action.notable"), of.get("action.risk")]).toEqual(name.includes("Risk") ? [undefined, "1"] : ["1", undefined]);
      }
    }
  });

  it("looks into the configured index and at the configured source types", () => {
    expect(macros.get("custodes_index")).toBe(settings?.index === undefined ? "index=*" : `index=${settings.index}`);
    expect(macros.get("custodes_alerts")).toBe(`\`custodes_index\` sourcetype="${prefix}:alert"`);
  });

  it("has a dashboard and a navigation that are well-formed and lead to each other", () => {
    const view = files.get("TA-custodes/default/data/ui/views/custodes_overview.xml")!;
    const navigation = files.get("TA-custodes/default/data/ui/nav/default.xml")!;
    for (const xml of [view, navigation]) expect(unbalanced(xml)).toBeUndefined();
    expect(view).toMatch(/^<form version="1\.1"/);
    expect(
      [...navigation.matchAll(/<view name="(custodes_[^"]+)"/g)].map(([, name]) => `TA-custodes/default/data/ui/views/${name}.xml`),
    ).toEqual([...files.keys()].filter((path) => path.includes("/views/")));
  });

  it("is the same each time, and holds no secret", () => {
    expect([...filesOf(settings)]).toEqual([...files]);
    for (const text of files.values()) expect(text).not.toContain("[secret]");
    for (const path of files.keys()) expect(path.startsWith("/") || path.includes("..")).toBe(false);
  });
});

describe("the setup", () => {
  it("looks like the files in assets", async () => {
    for (const [path, text] of filesOf()) await expect(text).toMatchFileSnapshot(`../../connectors/splunk/assets/${path}`);
  });

  it("names the least privileges", () => {
    const { privileges, steps } = splunk.setup!(
      configured({ index: "sec", acknowledge: true, management: { url: "https://splunk:8089", token: testSecret("m") } }),
    );
    expect(steps).toEqual([]);
    expect(privileges.service.join("\n")).toMatch(/allowed indexes that holds one: sec\n.*useACK = true.*\n.*list that index/);
    expect(splunk.setup!(undefined).privileges.service).toHaveLength(1);
  });
});

describe("the reader of .conf files", () => {
  it.each([
    ["a second stanza", "[a]\nx = 1\n[a]\ny = 1\n"],
    ["a second setting", "[a]\nx = 1\nx = 2\n"],
    ["a setting outside", "x = 1\n"],
    ["a continued line", "[a]\nx = 1 \\\ny\n"],
    ["an empty stanza", "[a]\n"],
    ["no end", "[a]\nx = 1"],
    ["no setting", "[a]\nx\n"],
    ["blanks", "[a]\n x = 1\n"],
  ])("refuses %s", (_, text) => expect(() => readConf(text)).toThrow());

  it("finds what is not in the specification", () => {
    expect(outsideSpec("props.conf", readConf("[a]\nKV_MODE = yaml\nTRUNCAT = 0\n"))).toHaveLength(2);
    expect(outsideSpec("limits.conf", readConf("[search]\nx = 1\n"))).toEqual(["limits.conf: [search]"]);
  });

  const some: FieldsOf = () => new Set(["severity", "custodes.status"]);
  it.each([
    "index=a | table sevrity",
    "index=a sevrity=x",
    "index=a | where 'custodes.state' < 4",
    "index=a | stats count by severity | sort - custodes.status",
    "index=a | lookup x",
    "index=a free text",
  ])("refuses the search %s", (search) => expect(() => fieldsLeft(search, some)).toThrow());
  it("refuses a macro that is not there", () => expect(() => expand("`nothing`", new Map())).toThrow());
});

/** Exact text of a delivery. */
function body(one: Delivery, settings: Config): string {
  return splunk.destination!(settings).render(one).body;
}

/** Fields by source type, as Splunk extracts them from what is rendered: `a.b`, and `name{}` for the values of a list. */
function rendered(settings: Config): Map<string, Set<string>> {
  const deliveries: Delivery[] = [
    delivery(alertSubject(), "splunk/main"),
    delivery(incidentSubject(), "splunk/main"),
    ...Object.values(FULL).map((event) => eventDelivery(event)),
  ];
  return new Map(
    deliveries.map((one) => {
      const { sourcetype, fields, event } = JSON.parse(body(one, settings)) as { sourcetype: string; fields: object; event: object };
      return [sourcetype, new Set([...Object.keys(fields), ...paths(event)])];
    }),
  );
}

function paths(value: object, prefix = ""): string[] {
  return Object.entries(value).flatMap(([key, item]: [string, unknown]) => {
    const path = `${prefix}${key}`;
    if (Array.isArray(item)) return typeof item[0] === "object" ? paths(item[0] as object, `${path}{}.`) : [`${path}{}`];
    return typeof item === "object" && item !== null ? paths(item, `${path}.`) : [path];
  });
}

/** The first tag that is not closed in order; undefined when all are, and no bare & or < is left. */
function unbalanced(xml: string): string | undefined {
  const open: string[] = [];
  const rest = xml.replaceAll(/<(\/?)([a-z]+)((?: [A-Za-z_.]+="[^"<&]*")*) ?(\/?)>/g, (_, end: string, name: string, __, self: string) => {
    if (end !== "" && open.pop() !== name) open.push(`</${name}>`, "!");
    if (end === "" && self === "") open.push(name);
    return "";
  });
  if (/[<>]|&(?!(amp|lt|gt);)/.test(rest)) return rest;
  return open[0];
}
