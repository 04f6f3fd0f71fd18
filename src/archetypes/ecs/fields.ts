/** The type of every field that our ECS documents have: what index templates say, and what tests hold documents to. */

/** The server's dialect: OpenSearch has no `match_only_text`, `wildcard` or `constant_keyword` in all versions that we serve. */
export type Dialect = "elastic" | "opensearch";

/** Fields of ECS 9.4.0 by type. */
const ECS: Readonly<Record<string, string>> = {
  date: "@timestamp event.created event.end event.ingested event.start",
  float: "event.risk_score event.risk_score_norm",
  integer: "gen_ai.usage.input_tokens gen_ai.usage.output_tokens",
  ip: "destination.ip dns.resolved_ip related.ip source.ip",
  keyword: `cloud.account.id cloud.provider cloud.region container.id destination.address destination.domain dns.question.name
    dns.question.type dns.response_code ecs.version error.code event.action event.category event.code event.dataset event.id event.kind
    event.module event.outcome event.provider event.reason event.reference event.type file.path gen_ai.agent.id gen_ai.agent.name
    gen_ai.request.model gen_ai.system gen_ai.tool.name host.name http.request.id http.request.method network.direction network.protocol
    network.transport observer.product observer.type observer.vendor orchestrator.namespace orchestrator.resource.id
    orchestrator.resource.name organization.id process.name related.hosts related.user rule.description rule.id rule.name rule.reference
    service.name source.address source.domain source.geo.country_iso_code span.id tags threat.framework threat.tactic.id
    threat.tactic.name threat.technique.id threat.technique.subtechnique.id trace.id user.id user.name user.target.id user.target.name
    user_agent.original`,
  long: "destination.bytes destination.port event.duration event.severity http.response.status_code source.bytes source.port",
  match_only_text: "message",
  wildcard: "url.original url.path",
};

/** Fields of data streams alone. */
const STREAM: Readonly<Record<string, string>> = { constant_keyword: "data_stream.dataset data_stream.namespace data_stream.type" };

/** Fields of the object `custodes`, without the object's name. */
const OWN: Readonly<Record<string, string>> = {
  boolean: `action_declared blast_at_least change data_class_allowed destination_allowed final mfa privileged refusal region_declared
    source_registered`,
  date: "alerts.first_time alerts.last_time bucket evidence.time opened_time timeline.time watermark",
  float: "cost_usd",
  keyword: `actions agent_native agent_version agents alerts.id alerts.level alerts.rule_id alerts.rule_title approval args_hash atlas
    cannot_be_undone category client closed_by closed_how closed_reason consent conversation could_still_reach coverage coverage_missing
    credential_places credentials data_classes data_touched dns_answers endpoints_touched entity evidence.action evidence.source
    evidence.uid finding_severity finish_reason grant grant_type group.field group.value iam_role infrastructure_changed input_hash key
    kind level maps on_behalf_of opened_by original_id output_hash owner proof purpose recommended resource resource_name resource_type
    role route run runbooks scopes sent_out service_account session signal spiffe_id state team threat threats timeline.source
    timeline.text timeline.uid tools tried_failed undone_by_hand users_affected why`,
  long: `activity alerts.count alerts_total attribution blast_events bytes_out class confidence count evidence_total reopened_count
    response_level revision shortened status timeline_total`,
};

type Mapping = Readonly<Record<string, unknown>>;
interface Properties {
  [name: string]: Mapping | { type: "object"; properties: Properties };
}

/** `mappings` of the fields of ECS; `stream` adds those of data streams. */
export function ecsMappings(dialect: Dialect, stream: boolean): Mapping {
  return { dynamic: "false", properties: tree(stream ? [ECS, STREAM] : [ECS], "", dialect) };
}

/** `mappings` of the object `custodes`. */
export function ownMappings(dialect: Dialect): Mapping {
  return { properties: tree([OWN], "custodes.", dialect) };
}

function tree(tables: readonly Readonly<Record<string, string>>[], prefix: string, dialect: Dialect): Properties {
  const root: Properties = {};
  const fields = tables.flatMap((table) =>
    Object.entries(table).flatMap(([type, names]) => names.split(/\s+/).map((name) => [`${prefix}${name}`, type] as const)),
  );
  for (const [path, type] of [...fields].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const names = path.split(".");
    const last = names.pop()!;
    let properties = root;
    for (const name of names) {
      const next = (properties[name] ??= { type: "object", properties: {} }) as { properties: Properties };
      properties = next.properties;
    }
    properties[last] = fieldMapping(type, dialect);
  }
  return root;
}

/** Longest text that is indexed, in characters: the `ignore_above` of ECS, and what our texts are cut to. */
const IGNORE_ABOVE = 1024;

function fieldMapping(type: string, dialect: Dialect): Mapping {
  if (type === "ip") return { type, ignore_malformed: true };
  if (type === "keyword") return { type, ignore_above: IGNORE_ABOVE };
  // The title is to be searched by its words and counted as a whole.
  if (type === "match_only_text")
    return { type: dialect === "elastic" ? type : "text", fields: { keyword: { type: "keyword", ignore_above: IGNORE_ABOVE } } };
  if (dialect === "elastic") return { type };
  return type === "wildcard" || type === "constant_keyword" ? { type: "keyword", ignore_above: IGNORE_ABOVE } : { type };
}
