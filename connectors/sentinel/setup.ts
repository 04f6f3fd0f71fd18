/** What a team deploys into Azure: one template with the data collection rule, roles, analytics rule and workbook. */
import type { Setup } from "../../src/ports/connector.ts";
import { analyticsRule } from "./setup-rule.ts";
import { workbook } from "./setup-workbook.ts";
import type { Config } from "./config.ts";
import { streamOf, TABLES, type Table, type TableName } from "./tables.ts";

type Json = Readonly<Record<string, unknown>>;

/** Built-in roles by their ids ("Azure built-in roles"). */
const METRICS_PUBLISHER = "3913510d-42f4-4e42-8a64-449c390fd2ea";
const SENTINEL_RESPONDER = "3e150937-b8fe-4cfb-8069-0eaf05ecd056";

const DCR = "[resourceId('Microsoft.Insights/dataCollectionRules', parameters('ruleName'))]";
const WORKSPACE = "[resourceId('Microsoft.OperationalInsights/workspaces', parameters('workspaceName'))]";
/** Name of the destination inside of the rule. */
const TO = "workspace";

/** Deterministic. Without a configuration as for the defaults; every table is Azure's own, so that no custom table is made. */
export function setup(options: Config | undefined): Setup {
  const api = options?.incidents === "api";
  const stream = options?.stream ?? "Custom-ASimAlertEventLogs";
  const parameters = {
    workspaceName: { value: options?.workspace?.name ?? "<workspace>" },
    principalId: { value: "<object id of the application or identity>" },
  };
  return {
    files: [
      { path: "azuredeploy.json", text: text(template(stream, api)) },
      {
        path: "azuredeploy.parameters.json",
        text: text({ $schema: schema("deploymentParameters"), contentVersion: "1.0.0.0", parameters }),
      },
      { path: "deploy.md", text: steps(options) },
    ],
    steps: [],
    privileges: {
      service: [
        "Monitoring Metrics Publisher on the data collection rule",
        ...(api ? ["Microsoft Sentinel Responder on the workspace"] : []),
        ...(options?.dcrName === undefined ? [] : ["Reader on the data collection rule (for doctor alone)"]),
      ],
      installer: [
        "Monitoring Contributor on the resource group (data collection rule)",
        "Microsoft Sentinel Contributor on the workspace (analytics rule)",
        "Workbook Contributor on the resource group",
        "Role Based Access Control Administrator on the resource group (role assignments)",
      ],
    },
  };
}

function template(stream: string, api: boolean): Json {
  return {
    $schema: schema("deploymentTemplate"),
    contentVersion: "1.0.0.0",
    parameters: {
      workspaceName: {
        type: "string",
        metadata: { description: "Log Analytics workspace of this resource group that Sentinel is enabled on" },
      },
      principalId: {
        type: "string",
        metadata: { description: "Object id of the application's service principal, or of the managed identity" },
      },
      location: { type: "string", defaultValue: "[resourceGroup().location]", metadata: { description: "Region of the workspace" } },
      ruleName: { type: "string", defaultValue: "custodes", metadata: { description: "Name of the data collection rule" } },
    },
    resources: [
      dataCollectionRule(stream),
      roleAssignment(METRICS_PUBLISHER, "[format('Microsoft.Insights/dataCollectionRules/{0}', parameters('ruleName'))]", [DCR]),
      ...(api
        ? [roleAssignment(SENTINEL_RESPONDER, "[format('Microsoft.OperationalInsights/workspaces/{0}', parameters('workspaceName'))]", [])]
        : []),
      // With the incidents API a second incident by rule would be one too many.
      ...(api ? [] : [analyticsRuleResource()]),
      workbookResource(),
    ],
    outputs: {
      dcrImmutableId: { type: "string", value: `[reference(${inner(DCR)}, '2023-03-11').immutableId]` },
      endpoint: { type: "string", value: `[reference(${inner(DCR)}, '2023-03-11').endpoints.logsIngestion]` },
    },
  };
}

/** `Direct`: the rule has an ingestion address of its own, and needs no data collection endpoint. */
function dataCollectionRule(stream: string): Json {
  const tables = Object.entries(TABLES) as [TableName, Table][];
  return {
    type: "Microsoft.Insights/dataCollectionRules",
    apiVersion: "2023-03-11",
    name: "[parameters('ruleName')]",
    location: "[parameters('location')]",
    kind: "Direct",
    properties: {
      description: "Alerts, incidents and supporting events of Custodes into the tables of ASIM",
      streamDeclarations: Object.fromEntries(
        tables.map(([name, { columns }]) => [
          streamOf(name, stream),
          { columns: Object.entries(columns).map(([column, type]) => ({ name: column, type })) },
        ]),
      ),
      destinations: { logAnalytics: [{ workspaceResourceId: WORKSPACE, name: TO }] },
      dataFlows: tables.map(([name, table]) => ({
        streams: [streamOf(name, stream)],
        destinations: [TO],
        // What the schema has and the table does not store is taken out here in the open, not dropped on the way.
        transformKql: table.lacks.length === 0 ? "source" : `source | project-away ${table.lacks.join(", ")}`,
        outputStream: `Microsoft-${table.name}`,
      })),
    },
  };
}

function roleAssignment(role: string, scope: string, dependsOn: readonly string[]): Json {
  return {
    type: "Microsoft.Authorization/roleAssignments",
    apiVersion: "2022-04-01",
    name: `[guid(resourceGroup().id, parameters('principalId'), parameters('ruleName'), '${role}')]`,
    scope,
    dependsOn,
    properties: {
      roleDefinitionId: `[subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '${role}')]`,
      principalId: "[parameters('principalId')]",
      principalType: "ServicePrincipal",
    },
  };
}

function analyticsRuleResource(): Json {
  return {
    type: "Microsoft.SecurityInsights/alertRules",
    apiVersion: "2024-03-01",
    name: "[guid(resourceGroup().id, parameters('workspaceName'), 'custodes-incident')]",
    scope: "[format('Microsoft.OperationalInsights/workspaces/{0}', parameters('workspaceName'))]",
    ...analyticsRule(true),
  };
}

function workbookResource(): Json {
  return {
    type: "Microsoft.Insights/workbooks",
    apiVersion: "2023-06-01",
    name: "[guid(resourceGroup().id, parameters('workspaceName'), 'custodes-workbook')]",
    location: "[parameters('location')]",
    kind: "shared",
    properties: {
      displayName: "Custodes: AI agents",
      category: "sentinel",
      version: "1.0",
      serializedData: JSON.stringify(workbook()),
      sourceId: WORKSPACE,
    },
  };
}

function steps(options: Config | undefined): string {
  const group = options?.workspace?.resourceGroup ?? "<resource group>";
  return `# Deploying into Azure

1. Fill in azuredeploy.parameters.json. The principal's object id: \`az ad sp show --id <clientId> --query id\`.
2. \`az deployment group create -g ${group} -f azuredeploy.json -p @azuredeploy.parameters.json\`
3. Put the outputs dcrImmutableId and endpoint into the destination's configuration.
4. Turn on the data collection rule's diagnostic setting "Log Errors" into the workspace: rows that the service drops after its 204 show in DCRLogErrors alone.
5. \`custodes doctor\`. A new role assignment takes up to 30 minutes to work.

Deploying again changes what differs and nothing else. Private link: create a data collection endpoint, set the rule's dataCollectionEndpointId, use the endpoint's address.
`;
}

function schema(kind: "deploymentTemplate" | "deploymentParameters"): string {
  return `https://schema.management.azure.com/schemas/2019-04-01/${kind}.json#`;
}

/** An expression without its brackets, for use inside another one. */
function inner(expression: string): string {
  return expression.slice(1, -1);
}

function text(value: Json): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
