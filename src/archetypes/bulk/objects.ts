/** The objects that Elasticsearch and OpenSearch have in common: ingest pipeline, component and index templates. */
import { asObject, type Json } from "../../core/record.ts";
import { ecsMappings, ownMappings, type Dialect } from "../ecs/fields.ts";
import { ECS_VERSION } from "../ecs/values.ts";
import { SETUP_META, type ApiObject } from "./install.ts";

/** Above the built-in templates of Elastic for `logs-*-*`, which have priority 100. */
const PRIORITY = 250;
/** The pipeline's name. */
const PIPELINE = "custodes-ingested";
const ECS_COMPONENT = "custodes-ecs";
const STREAM_COMPONENT = "custodes-ecs-stream";
const OWN_COMPONENT = "custodes-own";

/** Sets `event.ingested`: detection rules look back from it, so that what comes late is seen as well. */
export function pipelineObject(dialect: Dialect): ApiObject {
  return {
    name: `ingest pipeline ${PIPELINE}`,
    path: `/_ingest/pipeline/${PIPELINE}`,
    file: "ingest-pipeline.json",
    body: {
      description: "Says when a document of Custodes arrived: detection rules look back from event.ingested",
      // OpenSearch knows neither `copy_from` nor `_meta`; a template of its own language does the same there.
      processors: [
        dialect === "elastic"
          ? { set: { field: "event.ingested", copy_from: "_ingest.timestamp" } }
          : { set: { field: "event.ingested", value: "{{_ingest.timestamp}}" } },
      ],
      ...(dialect === "elastic" ? { _meta: SETUP_META } : {}),
    },
    found: (answer) => answer[PIPELINE],
  };
}

/** Types of the fields: ECS, ECS of data streams where there is one, and our own object. */
export function componentObjects(dialect: Dialect, stream: boolean): readonly ApiObject[] {
  return [
    component(ECS_COMPONENT, "component-template-ecs.json", ecsMappings(dialect, false)),
    ...(stream ? [component(STREAM_COMPONENT, "component-template-ecs-stream.json", ecsMappings(dialect, true))] : []),
    component(OWN_COMPONENT, "component-template-own.json", ownMappings(dialect)),
  ];
}

function component(name: string, file: string, mappings: Json): ApiObject {
  return {
    name: `component template ${name}`,
    path: `/_component_template/${name}`,
    file,
    body: { template: { mappings }, _meta: { custodes: { ...SETUP_META.custodes, ecs_version: ECS_VERSION } } },
    found: (answer) => asObject(firstOf(answer["component_templates"]))?.["component_template"],
  };
}

/** What an index template says beside the types. */
export interface TemplateOptions {
  /** Nested below `index`, as the server gives them back; values are texts. */
  readonly settings?: Json;
  readonly aliases?: Json;
  /** A data stream with these keys of `template`; undefined for plain indices. */
  readonly stream?: Json;
  /** False where there are no ingest pipelines. */
  readonly pipeline?: boolean;
}

/** The template of one index or data stream, under its name. */
export function templateObject(name: string, file: string, options: TemplateOptions): ApiObject {
  const { settings = {}, aliases, stream, pipeline = true } = options;
  const index = { ...(pipeline ? { final_pipeline: PIPELINE } : {}), ...settings };
  return {
    name: `index template ${name}`,
    path: `/_index_template/${name}`,
    file,
    body: {
      // The name itself, and what rolls over behind it when it is a write alias.
      index_patterns: stream === undefined ? [name, `${name}-0*`] : [name],
      priority: PRIORITY,
      composed_of: [stream === undefined ? ECS_COMPONENT : STREAM_COMPONENT, OWN_COMPONENT],
      ...(stream === undefined ? {} : { data_stream: {} }),
      template: {
        ...(Object.keys(index).length === 0 ? {} : { settings: { index } }),
        ...(aliases === undefined ? {} : { aliases }),
        ...stream,
      },
      _meta: SETUP_META,
    },
    found: (answer) => asObject(firstOf(answer["index_templates"]))?.["index_template"],
  };
}

function firstOf(list: unknown): unknown {
  return Array.isArray(list) ? list[0] : undefined;
}
