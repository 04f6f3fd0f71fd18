/** What Kibana shows of our documents: data views, a dashboard, and the detection rules. All of it depends on index names alone. */
import { SETUP_VERSION } from "../../src/archetypes/bulk/install.ts";
import type { Json } from "../../src/core/record.ts";
import type { Config } from "./config.ts";
import { panels } from "./panels.ts";

/** The dashboard's id, by which a later setup finds it again. */
const DASHBOARD_ID = "custodes-overview";
/** By this the setup tells its own version of an object from an older one: Kibana rewrites whatever else it is given. */
export const SETUP_MARK = `Custodes setup ${SETUP_VERSION}`;

/** A saved object of an export file. */
export interface SavedObject {
  readonly id: string;
  readonly type: string;
  readonly attributes: Json;
  readonly references: readonly { readonly id: string; readonly name: string; readonly type: string }[];
}

/** Data views of alerts, incidents and events, then the dashboard that needs them. */
export function savedObjects(settings: Config): readonly SavedObject[] {
  const view = (id: string, title: string, name: string): SavedObject => ({
    id,
    type: "index-pattern",
    attributes: { title, name, timeFieldName: "@timestamp" },
    references: [],
  });
  return [
    view("custodes-alerts", settings.alertIndex, "Custodes alerts"),
    view("custodes-incidents", settings.incidentIndex, "Custodes incidents"),
    view("custodes-events", settings.eventStream, "Custodes events"),
    dashboard(),
  ];
}

function dashboard(): SavedObject {
  const { json, references } = panels();
  return {
    id: DASHBOARD_ID,
    type: "dashboard",
    attributes: {
      title: "Custodes: AI agents",
      description: `Incidents and alerts about AI agents, by gravity, agent, rule and technique (${SETUP_MARK})`,
      panelsJSON: JSON.stringify(json),
      optionsJSON: JSON.stringify({ useMargins: true, syncColors: false, syncCursor: true, syncTooltips: false, hidePanelTitles: false }),
      timeRestore: true,
      timeFrom: "now-7d",
      timeTo: "now",
      kibanaSavedObjectMeta: {
        searchSourceJSON: JSON.stringify({ query: { query: "", language: "kuery" }, filter: [] }),
      },
    },
    references,
  };
}

/** A detection rule as Kibana imports it. */
export interface DetectionRule {
  readonly rule_id: string;
  readonly [key: string]: unknown;
}

/** Incidents first: whoever enables only one rule should enable that one. */
export function detectionRules(settings: Config): readonly DetectionRule[] {
  return [
    rule(
      "7c0f6d0a-1d0b-4c1e-9e57-3a6f2f8f6b01",
      "incident",
      settings.incidentIndex,
      "Incidents about AI agents, with the alerts behind them.",
    ),
    rule("7c0f6d0a-1d0b-4c1e-9e57-3a6f2f8f6b02", "alert", settings.alertIndex, "Single alerts about AI agents."),
  ];
}

/**
 * Promotes the documents of one index to alerts of Elastic Security. It looks back by `event.ingested`, far enough that a stop of
 * the detection engine loses nothing, and an id that comes again with a later revision joins the alert that is there (alert
 * suppression). It comes disabled: a rule runs with the rights of whoever enables it, and those of an installer may not last.
 */
function rule(ruleId: string, kind: "alert" | "incident", index: string, description: string): DetectionRule {
  return {
    rule_id: ruleId,
    name: `Custodes ${kind}`,
    description: `${description} Raised outside of the stack by Custodes and promoted as it is.`,
    type: "query",
    language: "kuery",
    index: [index],
    query: `event.kind : "alert" and event.dataset : "custodes.${kind}"`,
    enabled: false,
    interval: "1m",
    from: "now-15m",
    to: "now",
    max_signals: 1000,
    severity: "medium",
    severity_mapping: [
      ["21", "low"],
      ["47", "medium"],
      ["73", "high"],
      ["99", "critical"],
    ].map(([value, severity]) => ({ field: "event.severity", operator: "equals", value, severity })),
    risk_score: 47,
    risk_score_mapping: [{ field: "event.risk_score", operator: "equals", value: "" }],
    rule_name_override: "message",
    timestamp_override: "event.ingested",
    alert_suppression: { group_by: ["event.id"], duration: { value: 24, unit: "h" }, missing_fields_strategy: "doNotSuppress" },
    author: ["Custodes"],
    license: "Apache-2.0",
    tags: ["Custodes", "AI agents"],
    references: [],
    false_positives: [],
    threat: [],
    version: SETUP_VERSION,
  };
}
