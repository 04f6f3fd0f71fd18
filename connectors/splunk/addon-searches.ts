/** The add-on's saved searches: reports, and what makes notable events and risk in Splunk Enterprise Security. */
import { LEVELS, type Level } from "../../src/core/alert.ts";
import { conf, type AddonOptions, type Stanzas } from "./addon-conf.ts";

/** Risk of an alert by its level, as where a rule names none. */
const RISK: Readonly<Record<Exclude<Level, "informational">, number>> = { low: 21, medium: 47, high: 73, critical: 99 };

/** OCSF `status_id` of an incident: 4 is resolved, 5 closed. */
const RESOLVED = 4;

/** Reports: [name, description, search]. */
const REPORTS = [
  [
    "Custodes - Open incidents",
    "Incidents that are neither resolved nor closed, the gravest first",
    `\`custodes_incidents\` | \`custodes_latest\` | where 'custodes.status' < ${RESOLVED} | sort 0 - severity_id, - _time ` +
      "| table _time severity signature custodes_agent user src dest custodes.risk custodes.why custodes_id",
  ],
  [
    "Custodes - Agents by risk",
    "Highest risk, incidents and last time of each agent",
    "`custodes_incidents` | `custodes_latest` | stats max(custodes.risk) as risk_max, dc(custodes_id) as incidents, max(_time) as last_time by custodes_agent " +
      "| sort 0 - risk_max | convert ctime(last_time)",
  ],
  [
    "Custodes - Repeated deliveries",
    "Deliveries that were sent more than once under one key: harmless, and a sign of lost answers",
    "| tstats count where `custodes_index` custodes_dedup=* by custodes_dedup | where count > 1 | sort 0 - count",
  ],
] as const;

/** Every quarter of an hour, over what was indexed in the half hour before: a skipped run is made up for, a repeat is suppressed. */
const SCHEDULE = {
  cron_schedule: "*/15 * * * *",
  enableSched: 1,
  realtime_schedule: 0,
  schedule_window: "auto",
  // By time of indexing: an alert may be about events of days ago.
  "dispatch.earliest_time": "-30d@d",
  "dispatch.latest_time": "+1d@d",
  counttype: "number of events",
  relation: "greater than",
  quantity: 0,
} as const;
const INDEXED_NOW = "_index_earliest=-30m@m _index_latest=now";

/** An incident is told once a day and level, an alert once: revisions and repeats add nothing. */
const suppress = (fields: string) => ({
  "alert.digest_mode": 0,
  "alert.suppress": 1,
  "alert.suppress.fields": fields,
  "alert.suppress.period": "86400s",
});

/** `savedsearches.conf`. */
export function savedsearchesConf(options: AddonOptions): string {
  const reports = REPORTS.map(([name, description, search]): Stanzas[number] => [
    name,
    { description, search, "dispatch.earliest_time": "-7d@d", "dispatch.latest_time": "now", is_visible: "true" },
  ]);
  const levels = LEVELS.filter((level) => level !== "informational");
  return conf("Searches of Custodes. Those that end in Rule need Splunk Enterprise Security.", [
    ...reports,
    ...levels.map((level) => notableSearch(level, options)),
    ...levels.map((level) => riskSearch(level, options)),
  ]);
}

/** Notable events (findings) of incidents, by level, because a search has one severity. */
function notableSearch(level: Level, { notable }: AddonOptions): Stanzas[number] {
  const name = `Custodes - Incident ${level} - Rule`;
  return [
    name,
    {
      description: `Makes a notable event of each new ${level} incident of an AI agent`,
      disabled: notable ? 0 : 1,
      ...SCHEDULE,
      ...suppress("custodes_id"),
      search:
        `\`custodes_incidents\` severity="${level}" ${INDEXED_NOW} | \`custodes_latest\` | where 'custodes.status' < ${RESOLVED} ` +
        "| table _time custodes_id custodes_agent signature description severity user src dest mitre_technique_id custodes.risk custodes.why",
      "action.correlationsearch.enabled": 1,
      "action.correlationsearch.label": name,
      "action.notable": 1,
      "action.notable.param.rule_title": "$signature$",
      "action.notable.param.rule_description": "$description$",
      "action.notable.param.security_domain": "threat",
      "action.notable.param.severity": level,
      "action.notable.param.nes_fields": "custodes_id",
      "action.notable.param.drilldown_name": "All revisions of the incident",
      "action.notable.param.drilldown_search": '`custodes_incidents` custodes_id="$custodes_id$"',
    },
  ];
}

/** Risk of alerts, by level, because a search has one score. */
function riskSearch(level: Exclude<Level, "informational">, { risk }: AddonOptions): Stanzas[number] {
  const name = `Custodes - Alert ${level} - Risk - Rule`;
  const objects = [
    { risk_object_field: "custodes_agent", risk_object_type: "other", risk_score: RISK[level] },
    { risk_object_field: "user", risk_object_type: "user", risk_score: RISK[level] },
    { threat_object_field: "src", threat_object_type: "ip_address" },
  ];
  return [
    name,
    {
      description: `Adds the risk of each new ${level} alert to its agent and user`,
      disabled: risk ? 0 : 1,
      ...SCHEDULE,
      ...suppress("custodes_id"),
      search:
        `\`custodes_alerts\` severity="${level}" ${INDEXED_NOW} | \`custodes_latest\` ` +
        "| table _time custodes_id custodes_agent signature signature_id description severity user src dest mitre_technique_id",
      "action.correlationsearch.enabled": 1,
      "action.correlationsearch.label": name,
      "action.risk": 1,
      "action.risk.param._risk_message": "$signature$ (agent $custodes_agent$)",
      "action.risk.param._risk": JSON.stringify(objects),
      "action.risk.param._risk_score": 0,
      "action.risk.param.verbose": 0,
    },
  ];
}
