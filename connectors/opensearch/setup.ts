/** What a team installs in OpenSearch so that our documents are typed and kept. */
import { indexStep, streamStep } from "../../src/archetypes/bulk/indices.ts";
import { fileOf, SETUP_VERSION, stepOf, type ApiObject } from "../../src/archetypes/bulk/install.ts";
import { componentObjects, pipelineObject, templateObject } from "../../src/archetypes/bulk/objects.ts";
import type { Json } from "../../src/core/record.ts";
import type { Setup, SetupStep } from "../../src/ports/connector.ts";
import { installerAsks } from "./ask.ts";
import { config, isServerless, type Config } from "./config.ts";

/** Files and steps. Without a configuration the defaults' files, and no steps: there is no address. */
export function setup(given: Config | undefined): Setup {
  const none = { reveal: (): string => "" };
  const settings = given ?? config.parse({ url: "https://opensearch.example.com:9200", basic: { username: "custodes", password: none } });
  const objects = apiObjects(settings);
  const role = { path: "role-service.json", text: `${JSON.stringify(serviceRole(settings), null, 2)}\n` };
  return {
    files: [...objects.map(fileOf), role],
    steps: given === undefined ? [] : stepsOf(settings, objects),
    privileges: privileges(settings),
  };
}

/** In the order in which they need each other. */
function apiObjects(settings: Config): readonly ApiObject[] {
  // Serverless: indices are made with their mappings instead.
  if (isServerless(settings)) return [];
  const { alertIndex, incidentIndex, eventIndex } = settings;
  return [
    pipelineObject("opensearch"),
    ...componentObjects("opensearch", true),
    templateObject(alertIndex, "index-template-alerts.json", {}),
    ...(incidentIndex === alertIndex ? [] : [templateObject(incidentIndex, "index-template-incidents.json", {})]),
    templateObject(eventIndex, "index-template-events.json", { stream: {} }),
    ismPolicy(settings),
  ];
}

const ISM_POLICY = "custodes-events";

/** For events alone: an index that is never rolled over would be deleted as a whole, new alerts with the old ones. */
function ismPolicy({ eventIndex, eventRetention }: Config): ApiObject {
  return {
    name: `ISM policy ${ISM_POLICY}`,
    path: `/_plugins/_ism/policies/${ISM_POLICY}`,
    file: "ism-policy.json",
    body: {
      policy: {
        description: `Keeps events of Custodes for ${eventRetention} (setup ${SETUP_VERSION})`,
        default_state: "hot",
        states: [
          {
            name: "hot",
            // Days make the retention exact to the day; the size is what shards are advised to stay below.
            actions: [{ rollover: { min_index_age: "1d", min_primary_shard_size: "50gb" } }],
            transitions: [{ state_name: "delete", conditions: { min_index_age: eventRetention } }],
          },
          { name: "delete", actions: [{ delete: {} }], transitions: [] },
        ],
        ism_template: [{ index_patterns: [eventIndex, `.ds-${eventIndex}-*`], priority: 250 }],
      },
    },
    found: (answer) => answer,
    replacing: (answer) => `?if_seq_no=${whole(answer["_seq_no"])}&if_primary_term=${whole(answer["_primary_term"])}`,
  };
}

function whole(value: unknown): number {
  return typeof value === "number" && Number.isSafeInteger(value) ? value : 0;
}

function stepsOf(settings: Config, objects: readonly ApiObject[]): readonly SetupStep[] {
  const asks = installerAsks(settings);
  const { alertIndex, incidentIndex, eventIndex } = settings;
  const plain = [...new Set([alertIndex, incidentIndex])];
  if (isServerless(settings))
    return [...new Set([...plain, eventIndex])].map((name) => indexStep(name, "opensearch", asks, { withMappings: true }));
  return [
    ...objects.map((object) => stepOf(object, asks)),
    ...plain.map((name) => indexStep(name, "opensearch", asks)),
    streamStep(eventIndex, "opensearch", asks),
  ];
}

/** Of the security plugin, or for Serverless the collection's data access policy. */
function serviceRole(settings: Config): Json | readonly Json[] {
  const names = [...new Set([settings.alertIndex, settings.incidentIndex, settings.eventIndex])];
  if (isServerless(settings))
    return [
      {
        Rules: [
          {
            ResourceType: "index",
            Resource: names.map((name) => `index/<collection>/${name}`),
            Permission: ["aoss:WriteDocument", "aoss:CreateIndex", "aoss:DescribeIndex"],
          },
        ],
        Principal: ["<ARN of the service's role>"],
      },
    ];
  return {
    cluster_permissions: ["indices:data/write/bulk"],
    index_permissions: [
      { index_patterns: names, allowed_actions: ["index", "create_index"] },
      { index_patterns: [...names, `.ds-${settings.eventIndex}-*`], allowed_actions: ["indices:admin/mappings/get"] },
    ],
  };
}

function privileges(settings: Config): Setup["privileges"] {
  const { alertIndex, incidentIndex, eventIndex } = settings;
  const names = `${alertIndex}, ${incidentIndex}, ${eventIndex}`;
  if (isServerless(settings))
    return {
      service: [
        "IAM: aoss:APIAccessAll on the collection",
        `data access policy: aoss:WriteDocument, aoss:CreateIndex, aoss:DescribeIndex on ${names}`,
      ],
      installer: [
        "IAM: aoss:APIAccessAll on the collection",
        `data access policy: aoss:CreateIndex, aoss:UpdateIndex, aoss:DescribeIndex on ${names}`,
      ],
    };
  const domain = settings.aws === undefined ? [] : ["IAM: es:ESHttpGet, es:ESHttpPost on the domain"];
  const domainInstaller = settings.aws === undefined ? [] : ["IAM: es:ESHttpGet, es:ESHttpPut on the domain"];
  return {
    service: [
      ...domain,
      "cluster_permissions: indices:data/write/bulk",
      `index_permissions: index, create_index on ${names}; for the self-check indices:admin/mappings/get`,
    ],
    installer: [
      ...domainInstaller,
      "cluster_permissions: manage_pipelines, cluster:admin/component_template/*, indices:admin/index_template/*, cluster:admin/opendistro/ism/policy/*",
      `index_permissions: manage on ${names}`,
    ],
  };
}
