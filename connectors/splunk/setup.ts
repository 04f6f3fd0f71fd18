import type { Setup, SetupFile } from "../../src/ports/connector.ts";
import {
  appConf,
  defaultMeta,
  eventtypesConf,
  fieldsConf,
  limitsConf,
  macrosConf,
  propsConf,
  tagsConf,
  type AddonOptions,
} from "./addon-conf.ts";
import { dashboardXml, navigationXml } from "./addon-dashboard.ts";
import { savedsearchesConf } from "./addon-searches.ts";
import type { Config } from "./config.ts";

const APP = "TA-custodes";
const LIMITS_APP = "TA-custodes-limits";

/** What a configuration without these keys has. */
const DEFAULTS: AddonOptions = { sourcetype: "custodes", eventBytesMax: 10_000, notable: false, risk: false };

/**
 * The add-on for search heads, and a second one with what may not be in an app of Splunk Cloud. There are no steps: installing apps is
 * the administrator's, and what Enterprise Security offers for writing findings and risk directly is not documented or not idempotent.
 */
export function setup(settings: Config | undefined): Setup {
  const options = settings ?? DEFAULTS;
  const file = (path: string, text: string): SetupFile => ({ path, text });
  return {
    files: [
      file(`${APP}/README.md`, readme(settings, options)),
      file(
        `${APP}/default/app.conf`,
        appConf(APP, "Custodes", "Alerts, incidents and events of AI agents in the Common Information Model", true),
      ),
      file(`${APP}/default/props.conf`, propsConf(options)),
      file(`${APP}/default/fields.conf`, fieldsConf()),
      file(`${APP}/default/eventtypes.conf`, eventtypesConf(options)),
      file(`${APP}/default/tags.conf`, tagsConf(options)),
      file(`${APP}/default/macros.conf`, macrosConf(options)),
      file(`${APP}/default/savedsearches.conf`, savedsearchesConf(options)),
      file(`${APP}/default/data/ui/nav/default.xml`, navigationXml()),
      file(`${APP}/default/data/ui/views/custodes_overview.xml`, dashboardXml()),
      file(`${APP}/metadata/default.meta`, defaultMeta()),
      file(`${LIMITS_APP}/default/app.conf`, appConf(LIMITS_APP, "Custodes limits", "Field extraction for events of Custodes", false)),
      file(`${LIMITS_APP}/default/limits.conf`, limitsConf(options)),
    ],
    steps: [],
    privileges: { service: service(settings), installer: ["install apps on the search heads (admin; sc_admin in Splunk Cloud)"] },
  };
}

function service(settings: Config | undefined): readonly string[] {
  const index = settings?.index ?? "the one that alerts go to";
  return [
    `a HEC token with a list of allowed indexes that holds one: ${index}`,
    ...(settings?.acknowledge === true ? ["indexer acknowledgement enabled for that token (useACK = true)"] : []),
    ...(settings?.management === undefined
      ? []
      : ["for checks: an authentication token of a user who may list that index, and nothing else"]),
  ];
}

function readme(settings: Config | undefined, { sourcetype, notable, risk }: AddonOptions): string {
  const index = settings?.index;
  const on = (is: boolean): string =>
    is ? "switched on" : "disabled; enable them under Searches, or set the key and write the add-on again";
  return `# ${APP}

Makes what Custodes sends part of the Common Information Model (CIM). Install it on the search heads, and add the index to the macros
\`cim_Alerts_indexes\` (and to those of the models below whose events are sent) of the add-on Splunk_SA_CIM.

- Token: create an HTTP Event Collector token for the index ${index ?? "of your choice"} alone${settings?.acknowledge === true ? ", with indexer acknowledgement" : ""}.
- Index: the macro \`custodes_index\` (${index === undefined ? "now every index: narrow it in local/macros.conf" : `now ${index}`}).
- Source types: \`${sourcetype}:alert\` and \`${sourcetype}:incident\` (model Alerts), \`${sourcetype}:event:<model>\` (supporting events).
- Repeats: \`custodes_dedup\` is the key of a delivery, \`custodes_id\` and \`custodes_revision\` tell states of one subject apart. All three are
  indexed. The macro \`custodes_latest\` leaves the newest state of each subject once.
- ${LIMITS_APP}: Splunk extracts fields from the first 5,000 bytes of an event only. Install it on search heads and indexers; in Splunk Cloud
  change the same limits through the Admin Config Service or support.

## Splunk Enterprise Security

The searches \`Custodes - Incident … - Rule\` make notable events (findings) of new incidents: ${on(notable)}.
The searches \`Custodes - Alert … - Risk - Rule\` write to the risk index: ${on(risk)}.
Both look at what was indexed in the last half hour and tell a subject once a day. Nothing is written into \`notable\` or \`risk\` directly.
`;
}
