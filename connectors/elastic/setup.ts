/** What a team installs in Elasticsearch and Kibana so that our documents are typed, kept, shown and promoted. */
import { indexStep, aliasStep, streamStep } from "../../src/archetypes/bulk/indices.ts";
import { fileOf, includes, jsonOf, SETUP_META, stepOf, type ApiObject, type Ask } from "../../src/archetypes/bulk/install.ts";
import { componentObjects, pipelineObject, templateObject } from "../../src/archetypes/bulk/objects.ts";
import { asObject, type Json } from "../../src/core/record.ts";
import type { Setup, SetupFile, SetupStep } from "../../src/ports/connector.ts";
import type { Secret } from "../../src/ports/context.ts";
import { elasticsearch, kibana } from "./ask.ts";
import { config, type Config } from "./config.ts";
import { detectionRules, savedObjects } from "./kibana.ts";
import { ndjson, ruleStep, savedObjectsStep } from "./kibana-steps.ts";
import { installerPrivileges, installerRole, servicePrivileges, serviceRole } from "./privileges.ts";

/** Files and steps. Without a configuration the defaults' files, and no steps: there is no address. */
export function setup(given: Config | undefined): Setup {
  const settings = given ?? config.parse({ url: "https://elastic.example.com:9200", apiKey: { reveal: () => "" } });
  const objects = apiObjects(settings);
  return {
    files: [
      ...objects.map(fileOf),
      file("api-key-service.json", { name: "custodes", role_descriptors: serviceRole(settings) }),
      file("api-key-installer.json", { name: "custodes-setup", expiration: "1d", role_descriptors: installerRole(settings) }),
      { path: "kibana-saved-objects.ndjson", text: ndjson(savedObjects(settings)) },
      { path: "kibana-detection-rules.ndjson", text: ndjson(detectionRules(settings)) },
    ],
    steps: given === undefined ? [] : [...elasticSteps(settings, objects), ...kibanaSteps(settings)],
    privileges: { service: servicePrivileges(settings), installer: installerPrivileges(settings) },
  };
}

function file(path: string, body: object): SetupFile {
  return { path, text: `${JSON.stringify(body, null, 2)}\n` };
}

/** In the order in which they need each other. */
function apiObjects(settings: Config): readonly ApiObject[] {
  const { alertIndex, incidentIndex, eventStream, alertAlias } = settings;
  const aliases = alertAlias === undefined ? {} : { aliases: { [alertAlias]: {} } };
  return [
    pipelineObject("elastic"),
    ...(settings.lifecycle === "ilm" ? [ilmPolicy(settings)] : []),
    ...componentObjects("elastic", true),
    templateObject(alertIndex, "index-template-alerts.json", aliases),
    ...(incidentIndex === alertIndex ? [] : [templateObject(incidentIndex, "index-template-incidents.json", {})]),
    templateObject(eventStream, "index-template-events.json", {
      ...(settings.lifecycle === "ilm" ? { settings: { lifecycle: { name: ILM_POLICY } } } : {}),
      stream: {
        ...(settings.lifecycle === "ilm" ? {} : { lifecycle: lifecycle(settings) }),
        data_stream_options: FAILURE_STORE,
      },
    }),
  ];
}

const ILM_POLICY = "custodes-events";
/** What a mapping refuses is kept for whoever repairs it, instead of being refused to us one document at a time. */
const FAILURE_STORE = { failure_store: { enabled: true } };

function lifecycle({ eventRetention }: Config): Json {
  return { enabled: true, data_retention: eventRetention };
}

/** For events alone: an index that is never rolled over would be deleted as a whole, new alerts with the old ones. */
function ilmPolicy({ eventRetention }: Config): ApiObject {
  return {
    name: `ILM policy ${ILM_POLICY}`,
    path: `/_ilm/policy/${ILM_POLICY}`,
    file: "ilm-policy.json",
    body: {
      policy: {
        phases: {
          // The vendor's defaults for the size and age of a backing index.
          hot: { actions: { rollover: { max_age: "30d", max_primary_shard_size: "50gb" } } },
          delete: { min_age: eventRetention, actions: { delete: {} } },
        },
        _meta: SETUP_META,
      },
    },
    found: (answer) => answer[ILM_POLICY],
  };
}

function elasticSteps(settings: Config, objects: readonly ApiObject[]): readonly SetupStep[] {
  const asks = elasticsearch(settings);
  const { alertIndex, incidentIndex, eventStream, alertAlias } = settings;
  return [
    ...objects.map((object) => stepOf(object, asks)),
    ...[...new Set([alertIndex, incidentIndex])].map((name) => indexStep(name, "elastic", asks)),
    ...(alertAlias === undefined ? [] : [aliasStep(alertIndex, alertAlias, asks)]),
    streamStep(eventStream, "elastic", asks, (stream, ask, credential) => keepStream(settings, stream, ask, credential)),
  ];
}

/** Retention and failure store of a data stream that is older than its template; under ILM the retention is the policy's. */
async function keepStream(settings: Config, stream: Json, ask: Ask, credential: Secret): Promise<boolean> {
  const path = `/_data_stream/${settings.eventStream}`;
  let changed = false;
  if (settings.lifecycle === "stream" && !includes(asObject(stream["lifecycle"]), lifecycle(settings))) {
    jsonOf(await ask("PUT", `${path}/_lifecycle`, lifecycle(settings)), `data stream ${settings.eventStream}`, credential);
    changed = true;
  }
  if (asObject(stream["failure_store"])?.["enabled"] !== true) {
    jsonOf(await ask("PUT", `${path}/_options`, FAILURE_STORE), `data stream ${settings.eventStream}`, credential);
    changed = true;
  }
  return changed;
}

function kibanaSteps(settings: Config): readonly SetupStep[] {
  if (settings.kibanaUrl === undefined) return [];
  const asks = kibana(settings, settings.kibanaUrl);
  return [savedObjectsStep(savedObjects(settings), asks), ...detectionRules(settings).map((rule) => ruleStep(rule, asks))];
}
