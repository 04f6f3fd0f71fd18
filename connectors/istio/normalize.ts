/**
 * Istio / Envoy JSON access log of an egress gateway -> event.
 * Fields: https://istio.io/latest/docs/tasks/observability/logs/access-log/#default-access-log-format
 * Meaning: https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage
 */
import { linkTexts, proven, spiffeServiceAccount } from "../../src/archetypes/links.ts";
import { ACTION, CLASS, STATUS, type Event } from "../../src/core/event.ts";
import { poison } from "../../src/core/errors.ts";
import { isPrivateIp, looksLikeIp } from "../../src/core/ip.ts";
import { newEvent } from "../../src/core/new-event.ts";
import { httpActivityOf } from "../../src/core/ocsf/classes.ts";
import {
  ID_MAX,
  contentUid,
  hostName,
  numeric,
  recordObject,
  recordTime,
  redactUrl,
  text,
  urlPath,
  type Json,
} from "../../src/core/record.ts";
import type { Normalize, NormalizeContext } from "../../src/ports/connector.ts";

/**
 * Normalizes access log lines of Istio, and of Envoy Gateway, whose default format names some fields by their
 * headers (https://gateway.envoyproxy.io/docs/tasks/observability/proxy-accesslog/); null fields (passed-through TLS has no HTTP) mean "not known".
 * `trustDomains`: whose ids name service accounts of this mesh; undefined: all.
 */
export function istioNormalize(trustDomains?: readonly string[]): Normalize {
  return (record, context) => [eventOf(record, context, trustDomains)];
}

function eventOf(record: unknown, context: NormalizeContext, trustDomains: readonly string[] | undefined): Event {
  const log = recordObject(record);
  const time = recordTime(log["start_time"], context.received);
  if (!("downstream_remote_address" in log) && !("response_flags" in log) && !("upstream_cluster" in log)) {
    throw poison("RECORD_FIELD_MISSING", "the line has none of the fields of an access log");
  }
  const method = text(log["method"])?.toUpperCase();
  const requestId = text(log["request_id"] ?? log["x-request-id"])?.slice(0, ID_MAX);
  const http = method !== undefined;
  const event = newEvent(
    uidOf(log, requestId, time, context.sha256),
    time,
    "egress",
    http ? CLASS.httpActivity : CLASS.networkActivity,
    http ? httpActivityOf(method) : 6,
  );
  event.source = context.source;
  event.vendor = "Istio";
  event.product = "Envoy";
  event.eventCode = http ? "http" : "tcp";
  event.originalUid = requestId;
  event.requestUid = requestId;
  applyNetwork(event, log);
  if (http) applyHttp(event, log, method);
  applyFlags(event, log);
  event.spiffeId = spiffeId(log);
  event.links = linksOf(event, trustDomains);
  return event;
}

/**
 * A workload may send an `x-request-id` of its own choice, and Envoy keeps it for internal requests. Alone it would
 * let a workload hide its requests behind one id; with the time of the request it cannot.
 */
function uidOf(log: Json, requestId: string | undefined, time: number, sha256: (text: string) => string): string {
  return requestId === undefined ? contentUid("istio", log, sha256) : `istio:${requestId}:${time}`;
}

/** Longer than any connection lives; a larger number is a mistake and must not become a time. */
const DURATION_MAX_MS = 365 * 86_400_000;

function applyNetwork(event: Event, log: Json): void {
  const [srcIp, srcPort] = endpoint(log["downstream_remote_address"]);
  event.srcIp = srcIp;
  event.srcPort = srcPort;
  const [dstIp, dstPort] = endpoint(log["upstream_host"]);
  event.dstIp = dstIp;
  event.dstPort = dstPort ?? clusterPart(log["upstream_cluster"], 1);
  event.dstHost = destination(log);
  event.protocol = "tcp";
  event.appProtocol = text(log["protocol"])?.toLowerCase() ?? (text(log["requested_server_name"]) === undefined ? undefined : "tls");
  event.directionId = 2;
  // Envoy names bytes from its own point of view: what it received from the workload goes out.
  event.bytesOut = numeric(log["bytes_received"]);
  event.bytesIn = numeric(log["bytes_sent"]);
  const duration = numeric(log["duration"]);
  if (duration !== undefined && duration >= 0) {
    event.durationMs = duration;
    event.endTime = event.time + Math.floor(Math.min(duration, DURATION_MAX_MS));
  }
  event.routeName = text(log["route_name"]);
}

function applyHttp(event: Event, log: Json, method: string): void {
  event.method = method;
  event.url = redactUrl(log["path"] ?? log["x-envoy-origin-path"]);
  event.urlPath = urlPath(event.url);
  event.userAgent = text(log["user_agent"] ?? log["user-agent"]);
  const code = numeric(log["response_code"]);
  if (code === undefined || code === 0) return;
  event.responseCode = code;
  event.errorFlag = code >= 400 ? 1 : 0;
  event.statusId = code >= 400 ? STATUS.failure : STATUS.success;
}

/** Flags of a connection that the mesh's policy refused: RBAC, rate limit, external authorization. */
const DENIED_FLAGS: ReadonlySet<string> = new Set(["RL", "UAEX", "RLSE"]);

/** https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage#response-flags */
function applyFlags(event: Event, log: Json): void {
  const flags = text(log["response_flags"]);
  const details = text(log["response_code_details"]) ?? text(log["connection_termination_details"]);
  event.statusDetail = details;
  const denied = details?.startsWith("rbac_access_denied") === true;
  if (flags === undefined || flags === "-") {
    if (event.statusId === STATUS.unknown) event.statusId = STATUS.success;
  } else {
    event.statusCode = flags;
    event.statusId = STATUS.failure;
  }
  if (denied) event.statusId = STATUS.failure;
  event.actionId =
    denied || (flags !== undefined && flags.split(",").some((flag) => DENIED_FLAGS.has(flag))) ? ACTION.denied : ACTION.allowed;
}

/**
 * Whom the workload talked to: the authority when the gateway saw HTTP, because that is what it routed by; else the
 * name asked for in the TLS handshake; else the host of the cluster that the route chose.
 */
function destination(log: Json): string | undefined {
  return (
    hostName(log["authority"]) ??
    hostName(log[":authority"]) ??
    serverName(log["requested_server_name"]) ??
    clusterHost(log["upstream_cluster"])
  );
}

/** Inside the mesh the server name is `outbound_.443_._.host`: Istio's own, with the host at its end. */
function serverName(value: unknown): string | undefined {
  if (typeof value !== "string") return undefined;
  const inner = value.startsWith("outbound_.") ? value.indexOf("._.") : -1;
  return hostName(inner === -1 ? value : value.slice(inner + 3));
}

/** `outbound|443||host`: direction, port, subset, host. */
function clusterHost(value: unknown): string | undefined {
  if (typeof value !== "string" || !value.startsWith("outbound|")) return undefined;
  return hostName(value.slice(value.lastIndexOf("|") + 1));
}

function clusterPart(value: unknown, index: number): number | undefined {
  return typeof value === "string" && value.startsWith("outbound|") ? numeric(value.split("|", 3)[index]) : undefined;
}

/** `10.0.0.1:443`, `[2001:db8::1]:443`; pipes and internal listeners (`envoy://...`) have no address. */
function endpoint(value: unknown): readonly [string | undefined, number | undefined] {
  if (typeof value !== "string") return NO_ENDPOINT;
  const colon = value.lastIndexOf(":");
  const bare = colon === -1 || (value.indexOf(":") !== colon && !value.startsWith("["));
  const host = bare ? value : value.slice(0, colon);
  const ip = host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
  return looksLikeIp(ip) ? [ip, bare ? undefined : numeric(value.slice(colon + 1))] : NO_ENDPOINT;
}

const NO_ENDPOINT = [undefined, undefined] as const;

/** Whoever proved an id by its certificate holds the address that it came from, unless that is one of the world's. */
function linksOf({ spiffeId: id, srcIp }: Event, trustDomains: readonly string[] | undefined): readonly string[] | undefined {
  if (id === undefined) return undefined;
  const address = srcIp !== undefined && isPrivateIp(srcIp) ? srcIp : undefined;
  const isOwn = trustDomains?.includes(id.split("/", 3)[2] ?? "") ?? true;
  return linkTexts([proven(["ip", address], ["spiffe", id]), isOwn ? proven(["spiffe", id], ["sa", spiffeServiceAccount(id)]) : undefined]);
}

/** Names under which meshes log the peer's certificate; the default format has none of them. */
const PEER_KEYS = ["downstream_peer_uri_san", "peer_uri_san", "downstream_peer_principal", "source_principal"] as const;

/** The first URI SAN of the client's certificate that is a SPIFFE id. */
function spiffeId(log: Json): string | undefined {
  for (const key of PEER_KEYS) {
    const value = text(log[key]);
    if (value === undefined) continue;
    for (const name of value.split(",")) {
      const id = name.trim();
      if (id.startsWith("spiffe://")) return id;
    }
  }
  return undefined;
}
