/** The scheduled analytics rule that makes one Sentinel incident of each of our incidents (SecurityInsights 2024-03-01). */

/** How often it runs; what arrived since the run before is looked at, whatever time its rows carry. */
const EVERY_MINUTES = 5;

/** `ingestion_time()` instead of TimeGenerated: a row that was delayed on its way is neither missed nor seen twice. */
const QUERY = `ASimAlertEventLogs
| where ingestion_time() > ago(${EVERY_MINUTES}m)
| where EventProduct == "Custodes" and tostring(AdditionalFields.Kind) == "incident"
| extend Revision = toint(AdditionalFields.Revision)
| summarize arg_max(Revision, *) by EventUid
| where AlertStatus == "Active"
| extend
    IncidentId = EventUid,
    Level = EventOriginalSeverity,
    AgentId = tostring(AdditionalFields.AgentId),
    AgentName = coalesce(tostring(AdditionalFields.AgentName), tostring(AdditionalFields.AgentId)),
    Entity = tostring(AdditionalFields.Entity),
    RuleIds = strcat_array(AdditionalFields.RuleIds, ", "),
    Credentials = strcat_array(AdditionalFields.Credentials, ", "),
    Confidence = tostring(AdditionalFields.Confidence),
    Coverage = tostring(AdditionalFields.Coverage),
    Why = tostring(AdditionalFields.Why),
    CannotBeUndone = strcat_array(AdditionalFields.CannotBeUndone, ", "),
    Tactics = replace_string(AttackTactics, " ", ""),
    FirstAddress = tostring(AdditionalFields.IpAddresses[0]),
    SecondAddress = tostring(AdditionalFields.IpAddresses[1]),
    ThirdAddress = tostring(AdditionalFields.IpAddresses[2]),
    FirstHost = tostring(AdditionalFields.Hosts[0]),
    SecondHost = tostring(AdditionalFields.Hosts[1]),
    FirstUser = tostring(AdditionalFields.Users[0]),
    SecondUser = tostring(AdditionalFields.Users[1])`;

const entity = (entityType: string, identifier: string, columnName: string) => ({
  entityType,
  fieldMappings: [{ identifier, columnName }],
});
const detail = (alertProperty: string, value: string) => ({ alertProperty, value });

/** Body of the rule; without `createIncident` it makes alerts alone. */
export function analyticsRule(createIncident: boolean): {
  readonly kind: "Scheduled";
  readonly properties: Readonly<Record<string, unknown>>;
} {
  return {
    kind: "Scheduled",
    properties: {
      displayName: "Custodes incident",
      description: "An incident about an AI agent, as Custodes correlated it. One Sentinel incident per incident of Custodes.",
      enabled: true,
      severity: "Medium",
      query: QUERY,
      queryFrequency: `PT${EVERY_MINUTES}M`,
      // Wider than the frequency: the filter on the time of arrival decides, this only bounds what is read.
      queryPeriod: "P1D",
      triggerOperator: "GreaterThan",
      triggerThreshold: 0,
      suppressionEnabled: false,
      suppressionDuration: "PT1H",
      eventGroupingSettings: { aggregationKind: "AlertPerResult" },
      alertDetailsOverride: {
        alertDisplayNameFormat: "{{AlertName}}",
        alertDescriptionFormat: "{{EventMessage}}",
        alertSeverityColumnName: "EventSeverity",
        alertTacticsColumnName: "Tactics",
        alertDynamicProperties: [
          detail("AlertLink", "EventReportUrl"),
          detail("ProductName", "EventProduct"),
          detail("ProviderName", "EventVendor"),
          detail("RemediationSteps", "AttackRemediationSteps"),
          detail("Techniques", "AttackTechniques"),
        ],
      },
      // At most ten of them.
      entityMappings: [
        entity("CloudApplication", "Name", "AgentName"),
        entity("Account", "FullName", "FirstUser"),
        entity("Account", "FullName", "SecondUser"),
        entity("Host", "FullName", "FirstHost"),
        entity("Host", "FullName", "SecondHost"),
        entity("IP", "Address", "FirstAddress"),
        entity("IP", "Address", "SecondAddress"),
        entity("IP", "Address", "ThirdAddress"),
        entity("URL", "Url", "Url"),
      ],
      // At most twenty of them.
      customDetails: Object.fromEntries(
        [
          "IncidentId",
          "Revision",
          "Level",
          "AgentId",
          "Entity",
          "RuleIds",
          "Credentials",
          "Confidence",
          "Coverage",
          "Why",
          "CannotBeUndone",
        ].map((name) => [name, name]),
      ),
      incidentConfiguration: {
        createIncident,
        groupingConfiguration: {
          enabled: true,
          // What goes on after an analyst closed it is the same story.
          reopenClosedIncident: true,
          // The longest that Sentinel takes.
          lookbackDuration: "P7D",
          matchingMethod: "Selected",
          groupByEntities: [],
          groupByAlertDetails: [],
          groupByCustomDetails: ["IncidentId"],
        },
      },
    },
  };
}
