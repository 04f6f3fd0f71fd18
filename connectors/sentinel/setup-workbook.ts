/** The workbook: what is open, about which agents, how it developed, what agents did, and what could not be seen. */

/** Newest revision of everything, without repeated rows. */
const CURRENT = `let Current = ASimAlertEventLogs
| where TimeGenerated {Range} and EventProduct == "Custodes"
| extend Kind = tostring(AdditionalFields.Kind), Revision = toint(AdditionalFields.Revision),
    Agent = coalesce(tostring(AdditionalFields.AgentName), tostring(AdditionalFields.AgentId))
| summarize arg_max(Revision, *) by EventUid;
`;

interface Panel {
  readonly name: string;
  readonly title: string;
  readonly query: string;
  readonly visualization: "table" | "barchart" | "timechart";
}

const PANELS: readonly Panel[] = [
  {
    name: "open-incidents",
    title: "Open incidents",
    visualization: "table",
    query: `${CURRENT}Current
| where Kind == "incident" and AlertStatus == "Active"
| project EventStartTime, Level = EventOriginalSeverity, Agent, AlertName, Why = tostring(AdditionalFields.Why), Revision, Status = AlertOriginalStatus, Coverage = tostring(AdditionalFields.Coverage), EventReportUrl, IncidentId = EventUid
| sort by EventStartTime desc
| take 250`,
  },
  {
    name: "incidents-by-level",
    title: "Incidents over time, by level",
    visualization: "timechart",
    query: `${CURRENT}Current
| where Kind == "incident"
| summarize Incidents = count() by bin(EventStartTime, {Range:grain}), Level = EventOriginalSeverity`,
  },
  {
    name: "agents",
    title: "Agents with most alerts",
    visualization: "barchart",
    query: `${CURRENT}Current
| where Kind == "alert" and isnotempty(Agent)
| summarize Alerts = count() by Agent
| top 20 by Alerts`,
  },
  {
    name: "rules",
    title: "Rules that fired",
    visualization: "table",
    query: `${CURRENT}Current
| where Kind == "alert"
| summarize Alerts = count(), Agents = dcount(Agent), Last = max(EventEndTime) by RuleName, Level = EventOriginalSeverity
| sort by Alerts desc`,
  },
  {
    name: "blind",
    title: "Incidents decided while sources were missing",
    visualization: "table",
    query: `${CURRENT}Current
| where Kind == "incident" and tostring(AdditionalFields.Coverage) == "partial"
| mv-expand Missing = AdditionalFields.CoverageMissing to typeof(string)
| summarize Incidents = dcount(EventUid), Last = max(EventEndTime) by Missing
| sort by Incidents desc`,
  },
  {
    name: "agent-calls",
    title: "What agents did (supporting events)",
    visualization: "table",
    query: `ASimAgentEventLogs
| where TimeGenerated {Range} and tostring(AdditionalFields.Kind) == "event"
| summarize Calls = count(), Failed = countif(isnotempty(EventOriginalErrorType)), InputTokens = sum(InputTokensUsed), OutputTokens = sum(OutputTokensUsed) by Agent = coalesce(SrcAgentName, SrcAgentId), Tool = coalesce(ToolName, EventOriginalType)
| top 100 by Calls`,
  },
];

/** Content of the workbook as Azure Monitor keeps it (Notebook/1.0). */
export function workbook(): Readonly<Record<string, unknown>> {
  return {
    version: "Notebook/1.0",
    items: [
      {
        type: 1,
        name: "about",
        content: { json: "# Custodes\nAlerts and incidents about AI agents. Rows are revisions; every table shows the newest of each." },
      },
      {
        type: 9,
        name: "range",
        content: {
          version: "KqlParameterItem/1.0",
          style: "pills",
          queryType: 0,
          parameters: [
            {
              id: "1f5d2e0a-64b0-4b27-9b7f-6a0f0d1c2e01",
              version: "KqlParameterItem/1.0",
              name: "Range",
              label: "Time range",
              type: 4,
              isRequired: true,
              value: { durationMs: 604_800_000 },
              typeSettings: {
                selectableValues: [86_400_000, 604_800_000, 2_592_000_000].map((durationMs) => ({ durationMs })),
                allowCustom: true,
              },
            },
          ],
        },
      },
      ...PANELS.map(({ name, title, query, visualization }) => ({
        type: 3,
        name,
        content: {
          version: "KqlItem/1.0",
          title,
          query,
          visualization,
          size: 0,
          queryType: 0,
          resourceType: "microsoft.operationalinsights/workspaces",
          showExportToExcel: true,
        },
      })),
    ],
    fallbackResourceIds: [],
    $schema: "https://github.com/Microsoft/Application-Insights-Workbooks/blob/master/schema/workbook.json",
  };
}
