/** Records of the samples in their vendors' formats. */
import type { Dice } from "./random.ts";
import { namesOf, type SampleAgent, type SampleRoute } from "./fleet.ts";

/** What a gateway call may say beside its usual values. */
export interface CallOptions {
  readonly ip?: string;
  readonly status?: number;
  readonly size?: number;
  readonly id?: number;
  readonly region?: string;
  readonly userAgent?: string;
  /** Set for calls of people, who have no consumer. */
  readonly person?: string;
}

const iso = (time: number): string => new Date(time).toISOString();

/** A record of Kong's file-log and http-log plugins (Kong Gateway 3.x). */
export function kongRecord(dice: Dice, agent: SampleAgent, time: number, route: SampleRoute, options: CallOptions = {}): string {
  const names = namesOf(agent);
  const region = options.region ?? agent.region;
  const uri = route.path.replace("{id}", String(options.id ?? dice.between(10_000, 99_999)));
  const host = `api.${region}.corp.example`;
  const requestId = dice.hex(32);
  const status = options.status ?? (dice.between(1, 100) <= 98 ? (route.method === "POST" ? 201 : 200) : 404);
  const size = options.size ?? dice.between(600, 9000);
  const upstream = dice.between(5, 180);
  const consumer = options.person === undefined;
  const headers = {
    host,
    accept: "application/json",
    "user-agent": options.userAgent ?? "agent-sdk/2.7.1 node/24",
    authorization: "REDACTED",
    ...(consumer
      ? {
          "x-consumer-id": names.kongConsumerId,
          "x-consumer-custom-id": names.kongCustomId,
          "x-jwt-claim-sub": names.oktaClientId,
          "x-jwt-claim-purpose": agent.purpose,
        }
      : { "x-jwt-claim-sub": options.person }),
  };
  return JSON.stringify({
    response: {
      size,
      headers: { "content-type": "application/json; charset=utf-8", via: "1.1 kong/3.9.1", "x-kong-request-id": requestId },
      status,
    },
    route: {
      id: `7057e000-0000-4000-a000-${route.name.length.toString(16).padStart(12, "0")}`,
      name: route.name,
      tags: [`data:${route.data}`],
      protocols: ["https"],
    },
    workspace_name: "default",
    tries: [{ balancer_start: time + 3, ip: "10.96.11.23", balancer_latency: 0, port: 8080 }],
    client_ip: options.ip ?? agent.ip,
    request: {
      id: requestId,
      headers,
      uri,
      url: `https://${host}:443${uri}`,
      size: dice.between(300, 1800),
      method: route.method,
      querystring: {},
      tls: { version: "TLSv1.3" },
    },
    upstream_uri: uri,
    started_at: time,
    source: "upstream",
    upstream_status: String(status),
    latencies: { kong: 3, proxy: upstream, request: upstream + 4, receive: 1 },
    service: {
      id: "5e4f1ce0-0000-4000-a000-000000000001",
      name: `desk-${region}`,
      host: `desk.${region}.svc.corp.example`,
      port: 8080,
      protocol: "http",
      tags: [`region:${region}`],
    },
    ...(consumer
      ? {
          authenticated_entity: { id: names.kongCredential, consumer_id: names.kongConsumerId },
          consumer: { id: names.kongConsumerId, username: agent.name, custom_id: names.kongCustomId, tags: ["agent"] },
        }
      : {}),
  });
}

/** An event of Okta's System Log: a client-credentials grant of an agent, or a person's sign-in. */
export function oktaRecord(dice: Dice, who: SampleAgent | string, time: number, options: { ip?: string; fail?: boolean } = {}): string {
  const person = typeof who === "string";
  const id = person ? `00udemo${who.split("@")[0]!.replaceAll(".", "")}`.padEnd(20, "x").slice(0, 20) : namesOf(who).oktaClientId;
  const fail = options.fail === true;
  const ip = options.ip ?? "198.51.100.5";
  const place = { city: "Dublin", state: "Leinster", country: "Ireland", postalCode: "D02", geolocation: { lat: 53.35, lon: -6.26 } };
  return JSON.stringify({
    actor: {
      id,
      type: person ? "User" : "PublicClientApp",
      alternateId: person ? who : id,
      displayName: person ? who : who.name,
      detailEntry: null,
    },
    client: {
      userAgent: { rawUserAgent: person ? "Mozilla/5.0" : "agent-sdk/2.7.1 node/24", os: "Linux", browser: "UNKNOWN" },
      zone: "null",
      device: "Unknown",
      id: null,
      ipAddress: ip,
      geographicalContext: place,
    },
    device: null,
    authenticationContext: {
      authenticationProvider: null,
      credentialProvider: null,
      credentialType: null,
      issuer: null,
      interface: null,
      authenticationStep: 0,
      rootSessionId: "unknown",
      externalSessionId: "unknown",
    },
    displayMessage: person ? "User login to Okta" : "OIDC access token is granted",
    eventType: person ? "user.session.start" : "app.oauth2.token.grant.access_token",
    outcome: { result: fail ? "FAILURE" : "SUCCESS", reason: fail ? (person ? "INVALID_CREDENTIALS" : "invalid_client") : null },
    published: iso(time),
    securityContext: { asNumber: 64496, asOrg: "example", isp: "example", domain: "example", isProxy: false },
    severity: fail ? "WARN" : "INFO",
    debugContext: {
      debugData: person
        ? {}
        : { requestId: dice.hex(27), grantType: "client_credentials", requestedScopes: "api.read", requestUri: "/oauth2/v1/token" },
    },
    legacyEventType: person ? "core.user_auth.login_success" : "app.oauth2.token.grant.access_token_success",
    transaction: { type: "WEB", id: dice.hex(27), detail: {} },
    uuid: dice.uuid(),
    version: "0",
    request: { ipChain: [{ ip, geographicalContext: place, version: "V4", source: null }] },
    target: null,
  });
}

/** A line of the JSON access log of an Istio egress gateway: TLS passed through, so no HTTP fields. */
export function istioRecord(dice: Dice, agent: SampleAgent, time: number, host: string, bytesOut: number): string {
  return JSON.stringify({
    start_time: iso(time),
    route_name: null,
    method: null,
    path: null,
    protocol: null,
    response_code: 0,
    response_flags: "-",
    response_code_details: null,
    connection_termination_details: null,
    bytes_received: bytesOut,
    bytes_sent: dice.between(900, 60_000),
    duration: dice.between(60, 4000),
    upstream_service_time: null,
    x_forwarded_for: null,
    user_agent: null,
    request_id: null,
    authority: null,
    upstream_host: `198.18.1.${dice.between(10, 99)}:443`,
    upstream_cluster: `outbound|443||${host}`,
    upstream_local_address: `10.8.0.9:${dice.between(32_768, 60_999)}`,
    downstream_local_address: "10.8.0.9:8443",
    downstream_remote_address: `${agent.ip}:${dice.between(32_768, 60_999)}`,
    requested_server_name: host,
    upstream_transport_failure_reason: null,
  });
}

/** An audit.k8s.io/v1 event, by the service account of an agent or by a person or pipeline. */
export function kubernetesRecord(
  dice: Dice,
  who: SampleAgent | string,
  time: number,
  verb: string,
  resource: string,
  options: { name?: string; grant?: string } = {},
): string {
  const group = resource === "deployments" ? "apps" : resource.endsWith("bindings") ? "rbac.authorization.k8s.io" : undefined;
  const namespace = resource.startsWith("cluster") ? undefined : "agents";
  const name = options.name ?? `${resource.slice(0, 4)}-${dice.hex(5)}`;
  const agent = typeof who === "string" ? undefined : who;
  const names = agent === undefined ? undefined : namesOf(agent);
  const auth = "authentication.kubernetes.io";
  const user =
    names === undefined
      ? { username: who, groups: ["oidc:platform", "system:authenticated"] }
      : {
          username: names.serviceAccount,
          uid: names.podUid,
          groups: ["system:serviceaccounts", "system:serviceaccounts:agents", "system:authenticated"],
          extra: { [`${auth}/pod-name`]: [names.podName], [`${auth}/pod-uid`]: [names.podUid] },
        };
  const requestObject =
    options.grant === undefined
      ? undefined
      : {
          kind: "ClusterRoleBinding",
          apiVersion: "rbac.authorization.k8s.io/v1",
          metadata: { name },
          subjects: [{ kind: "ServiceAccount", name: agent?.name ?? "default", namespace: "agents" }],
          roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: options.grant },
        };
  const micros = (at: number) => `${iso(at).slice(0, -1)}000Z`;
  return JSON.stringify({
    kind: "Event",
    apiVersion: "audit.k8s.io/v1",
    level: requestObject === undefined ? "Metadata" : "RequestResponse",
    auditID: dice.uuid(),
    stage: "ResponseComplete",
    requestURI: `${group === undefined ? "/api/v1" : `/apis/${group}/v1`}${namespace === undefined ? "" : `/namespaces/${namespace}`}/${resource}`,
    verb,
    user,
    sourceIPs: [agent?.ip ?? "10.8.0.5"],
    userAgent: agent === undefined ? "kubectl/v1.34.2 (linux/amd64)" : "agent-sdk/2.7.1",
    objectRef: { resource, namespace, name, apiGroup: group, apiVersion: "v1" },
    responseStatus: { metadata: {}, code: verb === "create" ? 201 : 200 },
    requestObject,
    requestReceivedTimestamp: micros(time),
    stageTimestamp: micros(time + 4),
    annotations: { "authorization.k8s.io/decision": "allow" },
  });
}

/** What a monitored turn may say beside its usual values. */
export interface TurnOptions {
  readonly session?: string;
  readonly tools?: readonly string[];
  readonly findings?: readonly { readonly threat: string; readonly signal: string; readonly severity: string }[];
  readonly approval?: string | null;
  readonly purpose?: string | null;
  readonly user?: string | null;
  readonly refusal?: boolean;
}

/** One turn as the cp_security monitor emits it (the version with the additional fields). */
export function turnRecord(dice: Dice, agent: SampleAgent, time: number, options: TurnOptions = {}): string {
  const findings = (options.findings ?? []).map((one) => (one.threat === "tool_abuse" ? { ...one, args_hash: dice.hex(64) } : one));
  return JSON.stringify({
    type: "agent.turn",
    agent_id: namesOf(agent).monitorId,
    user_id: options.user === undefined ? `u-${dice.between(10_000, 19_999)}` : options.user,
    purpose: options.purpose === undefined ? agent.purpose : options.purpose,
    latency_ms: dice.between(300, 6000),
    tools: options.tools ?? agent.tools.slice(0, 2),
    findings,
    input_sha256: dice.hex(64),
    output_sha256: dice.hex(64),
    ts: Math.floor(time / 1000),
    approval_id: options.approval ?? null,
    consent_id: `cns-${dice.hex(8)}`,
    session_id: options.session ?? `s-${dice.hex(12)}`,
    egress_host: null,
    tokens: { input: dice.between(300, 6000), output: dice.between(20, 900) },
    model: "model-large",
    refusal: options.refusal ?? false,
  });
}
