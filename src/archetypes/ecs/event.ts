/** A supporting event as an ECS document. Pure; every text of it passes `safeText`, and no text becomes a field's name. */
import { STATUS, type Event } from "../../core/event.ts";
import { safeList, safeText } from "../../core/safe-text.ts";
import { isoTime } from "../own-object.ts";
import { ecsClass } from "./event-class.ts";
import { ownEvent } from "./own-event.ts";
import { address, ECS_VERSION, SEVERITY_OF_ID, some } from "./values.ts";

/** How much of an event is told: items of a list, UTF-16 units of a text. */
export interface EventCaps {
  readonly list: number;
  readonly text: number;
}

/** What the document says beside the event. */
export interface EventPlace {
  /** The delivery's key. */
  readonly key: string;
  /** `data_stream.*` of a data stream, whose documents must carry them; undefined for a plain index. */
  readonly stream: { readonly dataset: string; readonly namespace: string } | undefined;
}

type Fields = Readonly<Record<string, unknown>>;
type Text = (value: string | undefined) => string | undefined;

/** OCSF `direction_id` 1 to 3 in the words of ECS. */
const DIRECTION: readonly (string | undefined)[] = [undefined, "inbound", "outbound", "internal"];
/** `dns.response_code` by number (RFC 1035, 2136, 6895). */
const RCODES = "NOERROR FORMERR SERVFAIL NXDOMAIN NOTIMP REFUSED YXDOMAIN YXRRSET NXRRSET NOTAUTH NOTZONE".split(" ");
const COUNTRY = /^[A-Z]{2}$/;
const NANOSECONDS_PER_MS = 1_000_000;

/** The document; keys without a value are undefined and so left out of JSON. @throws {Failure} poison RENDER_CONTRACT for a time that is none */
export function ecsEvent(event: Event, place: EventPlace, caps: EventCaps): Fields {
  const text: Text = (value) => (value === undefined || value === "" ? undefined : safeText(value, caps.text));
  const { stream } = place;
  return {
    "@timestamp": isoTime(event.time),
    message: messageOf(event, text),
    ecs: { version: ECS_VERSION },
    data_stream: stream === undefined ? undefined : { type: "logs", dataset: stream.dataset, namespace: stream.namespace },
    event: envelope(event, stream?.dataset ?? "custodes.event", text),
    observer: some({ vendor: text(event.vendor), product: text(event.product) }),
    organization: some({ id: text(event.tenant) }),
    error: some({ code: event.statusId === STATUS.failure ? text(event.statusCode) : undefined }),
    gen_ai: genAi(event, text),
    service: some({ name: text(event.service) }),
    user: userOf(event, text),
    ...endpoints(event, text),
    ...web(event, text),
    dns: dnsOf(event, text, caps),
    cloud: some({
      provider: text(event.cloudProvider)?.toLowerCase(),
      account: some({ id: text(event.cloudAccount) }),
      region: text(event.region),
    }),
    ...workload(event, text),
    trace: some({ id: text(event.traceUid) }),
    span: some({ id: text(event.spanUid) }),
    related: related(event, caps),
    custodes: ownEvent(event, place.key, text, (values) => safeList(values, caps.list, caps.text)),
  };
}

/** One line for whoever reads a list of events: what was done, by whom, to what. */
function messageOf(event: Event, text: Text): string {
  const action = event.infraAction ?? event.operation ?? event.toolName ?? event.eventCode ?? event.category;
  const who = event.agentName ?? event.agentUid ?? event.userName ?? event.userUid;
  const target = event.dstHost ?? event.dstIp ?? event.resourceName;
  const parts = [action, who === undefined || who === "" ? "" : `by ${who}`, target === undefined || target === "" ? "" : `to ${target}`];
  return text(parts.filter((part) => part !== "").join(" ")) ?? event.category;
}

function envelope(event: Event, dataset: string, text: Text): Fields {
  const { category, type } = ecsClass(event);
  return {
    // Never `alert`: evidence must not be promoted to an alert of its own by whoever reads `event.kind: alert`.
    kind: "event",
    category,
    type,
    action: text(event.infraAction ?? event.operation ?? event.toolName),
    outcome: event.statusId === STATUS.success ? "success" : event.statusId === STATUS.failure ? "failure" : "unknown",
    id: text(event.uid),
    code: text(event.eventCode),
    module: "custodes",
    dataset,
    provider: text(event.source),
    severity: SEVERITY_OF_ID[event.severityId] ?? SEVERITY_OF_ID[0],
    reason: text(event.statusDetail),
    created: event.receivedTime === undefined ? undefined : isoTime(event.receivedTime),
    start: event.endTime === undefined ? undefined : isoTime(event.time),
    end: event.endTime === undefined ? undefined : isoTime(event.endTime),
    duration: whole(event.durationMs === undefined ? undefined : event.durationMs * NANOSECONDS_PER_MS),
  };
}

function genAi(event: Event, text: Text): Fields | undefined {
  return some({
    agent: some({ id: text(event.agentUid), name: text(event.agentName) }),
    system: text(event.modelProvider),
    request: some({ model: text(event.model) }),
    tool: some({ name: text(event.toolName) }),
    usage: some({ input_tokens: int32(event.tokensIn), output_tokens: int32(event.tokensOut) }),
  });
}

function userOf(event: Event, text: Text): Fields | undefined {
  return some({
    id: text(event.userUid),
    name: text(event.userName),
    target: some({ id: text(event.targetUserUid), name: text(event.targetUserName) }),
  });
}

function endpoints(event: Event, text: Text): Fields {
  const source = { ip: address(event.srcIp), domain: text(event.srcHost) };
  const destination = { ip: address(event.dstIp), domain: text(event.dstHost) };
  const country = event.srcCountry !== undefined && COUNTRY.test(event.srcCountry) ? event.srcCountry : undefined;
  return {
    source: some({
      ...source,
      address: source.domain ?? source.ip,
      port: whole(event.srcPort),
      bytes: whole(event.bytesOut),
      geo: some({ country_iso_code: country }),
    }),
    destination: some({
      ...destination,
      address: destination.domain ?? destination.ip,
      port: whole(event.dstPort),
      bytes: whole(event.bytesIn),
    }),
    network: some({
      transport: text(event.protocol)?.toLowerCase(),
      protocol: text(event.appProtocol)?.toLowerCase(),
      direction: DIRECTION[event.directionId ?? 0],
    }),
  };
}

function web(event: Event, text: Text): Fields {
  return {
    http: some({
      request: some({ method: text(event.method), id: text(event.requestUid) }),
      response: some({ status_code: whole(event.responseCode) }),
    }),
    url: some({ original: text(event.url), path: text(event.urlPath) }),
    user_agent: some({ original: text(event.userAgent) }),
  };
}

function dnsOf(event: Event, text: Text, caps: EventCaps): Fields | undefined {
  const answers = (event.dnsAnswers ?? []).flatMap((answer) => address(answer) ?? []).slice(0, caps.list);
  return some({
    question: some({ name: text(event.dnsQuery), type: text(event.dnsType) }),
    response_code: event.dnsRcodeId === undefined ? undefined : RCODES[event.dnsRcodeId],
    resolved_ip: answers.length === 0 ? undefined : answers,
  });
}

function workload(event: Event, text: Text): Fields {
  return {
    orchestrator: some({ namespace: text(event.namespace), resource: some({ name: text(event.podName), id: text(event.podUid) }) }),
    container: some({ id: text(event.containerUid) }),
    host: some({ name: text(event.host) }),
    process: some({ name: text(event.process) }),
    file: some({ path: text(event.filePath) }),
  };
}

function related(event: Event, caps: EventCaps): Fields | undefined {
  const ip = [...new Set([address(event.srcIp), address(event.dstIp)].filter((one) => one !== undefined))];
  const user = safeList([event.userName, event.userUid, event.targetUserName, event.targetUserUid], caps.list, caps.text);
  const hosts = safeList([event.srcHost, event.dstHost, event.host, event.dnsQuery], caps.list, caps.text);
  return some({ ip: filled(ip), user: filled(user), hosts: filled(hosts) });
}

function filled(list: readonly string[]): readonly string[] | undefined {
  return list.length === 0 ? undefined : list;
}

/** Elasticsearch's `long` refuses a fraction beyond its range and our counts are whole: what is none is left out. */
function whole(value: number | undefined): number | undefined {
  return value !== undefined && Number.isSafeInteger(Math.round(value)) && value >= 0 ? Math.round(value) : undefined;
}

/** ECS has token counts as `integer`: 32 bits. */
function int32(value: number | undefined): number | undefined {
  const count = whole(value);
  return count === undefined ? undefined : Math.min(count, 2_147_483_647);
}
