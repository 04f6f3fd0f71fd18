/** The add-on's dashboard (Simple XML 1.1, which every version of Splunk shows) and the navigation that leads to it. */

interface Panel {
  readonly title: string;
  readonly search: string;
  readonly shows: "single" | "chart" | "table";
  /** Of a chart. */
  readonly chart?: "column" | "bar";
}

/** Rows of panels. */
const ROWS: readonly (readonly Panel[])[] = [
  [
    {
      title: "Open incidents",
      shows: "single",
      search: "`custodes_incidents` | `custodes_latest` | where 'custodes.status' < 4 | stats count",
    },
    {
      title: "Agents in open incidents",
      shows: "single",
      search: "`custodes_incidents` | `custodes_latest` | where 'custodes.status' < 4 | stats dc(custodes_agent) as agents",
    },
    { title: "Alerts", shows: "single", search: "`custodes_alerts` | stats dc(custodes_id) as alerts" },
  ],
  [
    {
      title: "Alerts by severity",
      shows: "chart",
      chart: "column",
      search: "`custodes_alerts` | `custodes_latest` | timechart count by severity",
    },
    {
      title: "Alerts by rule",
      shows: "chart",
      chart: "bar",
      search: "`custodes_alerts` | `custodes_latest` | top limit=15 showperc=false signature",
    },
  ],
  [
    {
      title: "Incidents, the newest first",
      shows: "table",
      search:
        "`custodes_incidents` | `custodes_latest` | sort 0 - _time " +
        "| table _time severity signature custodes_agent custodes.owner user src dest custodes.risk custodes.coverage custodes.why custodes_id",
    },
  ],
  [
    {
      title: "Agents by risk",
      shows: "table",
      search:
        "`custodes_incidents` | `custodes_latest` | stats max(custodes.risk) as risk_max, dc(custodes_id) as incidents by custodes_agent | sort 0 - risk_max",
    },
    {
      title: "Supporting events by kind",
      shows: "table",
      search: "`custodes_events` | stats dc(custodes_dedup) as events, dc(custodes_agent) as agents by sourcetype, custodes.category",
    },
  ],
];

/** `default/data/ui/views/custodes_overview.xml`. */
export function dashboardXml(): string {
  const rows = ROWS.map((panels) => `  <row>\n${panels.map(panelXml).join("")}  </row>\n`).join("");
  return (
    '<form version="1.1" theme="light">\n  <label>Custodes: AI agents</label>\n' +
    "  <description>Incidents, alerts and supporting events of AI agents</description>\n" +
    '  <fieldset submitButton="false" autoRun="true">\n    <input type="time" token="time">\n      <label>Time</label>\n' +
    "      <default><earliest>-7d@d</earliest><latest>now</latest></default>\n    </input>\n  </fieldset>\n" +
    `${rows}</form>\n`
  );
}

/** `default/data/ui/nav/default.xml`. */
export function navigationXml(): string {
  return '<nav search_view="search">\n  <view name="custodes_overview" default="true" />\n  <view name="search" />\n  <view name="reports" />\n</nav>\n';
}

function panelXml({ title, search, shows, chart }: Panel): string {
  const option = chart === undefined ? "" : `          <option name="charting.chart">${chart}</option>\n`;
  return (
    `    <panel>\n      <title>${escaped(title)}</title>\n        <${shows}>\n          <search>\n` +
    `            <query>${escaped(search)}</query>\n` +
    "            <earliest>$time.earliest$</earliest>\n            <latest>$time.latest$</latest>\n" +
    `          </search>\n${option}        </${shows}>\n    </panel>\n`
  );
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
