/** Records in the vendors' formats, with what the connectors read of them. */
import type { EpochMs } from "../../src/core/event.ts";
import { mountOf } from "./world.ts";

const iso = (time: EpochMs): string => new Date(time).toISOString();
/** CloudTrail has whole seconds. */
const seconds = (time: EpochMs): string => `${iso(time).slice(0, 19)}Z`;
/** As CloudTrail writes the end of credentials: `Mar 31, 2026, 9:07:39 AM`. */
const american = (time: EpochMs): string =>
  new Intl.DateTimeFormat("en-US", { dateStyle: "medium", timeStyle: "medium", timeZone: "UTC" }).format(time);

export interface Consumer {
  readonly id: string;
  readonly customId: string;
  readonly credential: string;
}

/** Kong's access log; without a consumer the call was anonymous. */
export function kong(
  time: EpochMs,
  id: string,
  given: { readonly ip: string; readonly consumer?: Consumer | undefined; readonly headers?: object | undefined },
): unknown {
  const { consumer } = given;
  return {
    started_at: time,
    client_ip: given.ip,
    source: "upstream",
    workspace_name: "default",
    request: { id, method: "POST", uri: "/v1/data", size: 900, headers: { host: "api.corp.example", ...given.headers } },
    response: { status: 200, size: 4000, headers: {} },
    latencies: { request: 40 },
    route: { name: "data.read", tags: ["data:customer"] },
    service: { name: "data" },
    ...(consumer === undefined
      ? {}
      : {
          consumer: { id: consumer.id, custom_id: consumer.customId, username: consumer.customId },
          authenticated_entity: { id: consumer.credential, consumer_id: consumer.id },
        }),
  };
}

export interface PodSpec {
  readonly name: string;
  readonly uid: string;
  readonly namespace: string;
  readonly account: string;
  readonly ip: string;
  readonly node: string;
  readonly cluster?: string | undefined;
}

interface AuditCall {
  readonly verb: string;
  readonly user: object;
  readonly objectRef: object;
  readonly uri: string;
  readonly ip: string;
  readonly requestObject?: object | undefined;
  readonly responseObject?: object | undefined;
}

function audit(time: EpochMs, id: string, call: AuditCall): unknown {
  return {
    kind: "Event",
    apiVersion: "audit.k8s.io/v1",
    level: call.responseObject === undefined ? "Metadata" : "RequestResponse",
    auditID: id,
    stage: "ResponseComplete",
    requestURI: call.uri,
    verb: call.verb,
    user: call.user,
    sourceIPs: [call.ip],
    objectRef: call.objectRef,
    responseStatus: { code: 200 },
    requestReceivedTimestamp: iso(time),
    stageTimestamp: iso(time + 4),
    ...(call.requestObject === undefined ? {} : { requestObject: call.requestObject }),
    ...(call.responseObject === undefined ? {} : { responseObject: call.responseObject }),
  };
}

const kubelet = (pod: PodSpec): object => ({ username: `system:node:${pod.node}`, groups: ["system:nodes"] });
const CONTROLLER = { username: "system:serviceaccount:kube-system:replicaset-controller" };
const podUri = (pod: PodSpec, rest = ""): string => `/api/v1/namespaces/${pod.namespace}/pods${rest}`;
const ref = (pod: PodSpec, more: object = {}): object => ({ resource: "pods", namespace: pod.namespace, name: pod.name, ...more });

function podObject(pod: PodSpec, metadata: object, status: object): object {
  return {
    kind: "Pod",
    metadata: { name: pod.name, namespace: pod.namespace, uid: pod.uid, ...metadata },
    spec: { serviceAccountName: pod.account, nodeName: pod.node },
    status,
  };
}

/** `bodies`: the audit policy asks for them. */
export function podCreated(time: EpochMs, id: string, pod: PodSpec, bodies: boolean): unknown {
  const responseObject = bodies ? podObject(pod, {}, { phase: "Pending" }) : undefined;
  const objectRef = { resource: "pods", namespace: pod.namespace };
  return audit(time, id, { verb: "create", user: CONTROLLER, objectRef, uri: podUri(pod), ip: "10.0.0.2", responseObject });
}

export function podStatus(time: EpochMs, id: string, pod: PodSpec, bodies: boolean, phase = "Running"): unknown {
  const status = { phase, hostIP: "10.0.1.1", podIP: pod.ip, podIPs: [{ ip: pod.ip }] };
  const responseObject = bodies ? podObject(pod, {}, status) : undefined;
  const uri = podUri(pod, `/${pod.name}/status`);
  const objectRef = ref(pod, { subresource: "status" });
  return audit(time, id, { verb: "patch", user: kubelet(pod), objectRef, uri, ip: "10.0.1.1", responseObject });
}

/** `last`: by the kubelet, when it has stopped. */
export function podDeleted(time: EpochMs, id: string, pod: PodSpec, bodies: boolean, last: boolean): unknown {
  const metadata = { deletionTimestamp: seconds(time + (last ? 0 : 30_000)), deletionGracePeriodSeconds: last ? 0 : 30 };
  const status = { phase: "Running", hostIP: "10.0.1.1", podIP: pod.ip, podIPs: [{ ip: pod.ip }] };
  const responseObject = bodies ? podObject(pod, metadata, status) : undefined;
  const uri = podUri(pod, `/${pod.name}`);
  const user = last ? kubelet(pod) : CONTROLLER;
  return audit(time, id, { verb: "delete", user, objectRef: ref(pod), uri, ip: last ? "10.0.1.1" : "10.0.0.2", responseObject });
}

/** A call by the pod's own token. */
export function podCall(time: EpochMs, id: string, pod: PodSpec, jti: string): unknown {
  const user = {
    username: `system:serviceaccount:${pod.namespace}:${pod.account}`,
    extra: {
      "authentication.kubernetes.io/credential-id": [`JTI=${jti}`],
      "authentication.kubernetes.io/pod-name": [pod.name],
      "authentication.kubernetes.io/pod-uid": [pod.uid],
    },
  };
  const objectRef = { resource: "deployments", namespace: pod.namespace, name: "web", apiGroup: "apps" };
  return audit(time, id, { verb: "patch", user, objectRef, uri: `/apis/apps/v1/namespaces/${pod.namespace}/deployments/web`, ip: pod.ip });
}

export interface AwsSession {
  readonly arn: string;
  readonly key: string;
  readonly until: EpochMs;
}

const trail = (time: EpochMs, id: string, more: object): object => ({
  eventVersion: "1.11",
  eventTime: seconds(time),
  eventID: id,
  awsRegion: "eu-west-1",
  sourceIPAddress: "198.51.100.99",
  recipientAccountId: "111122223333",
  eventCategory: "Management",
  ...more,
});
const issued = ({ arn, key, until }: AwsSession): object => ({
  credentials: { accessKeyId: key, expiration: american(until), sessionToken: "x" },
  assumedRoleUser: { arn, assumedRoleId: `AROA:${arn.slice(arn.lastIndexOf("/") + 1)}` },
});

/** `issuer`: of the account's token. */
export function webIdentity(time: EpochMs, id: string, account: string, session: AwsSession, issuer?: string): unknown {
  const provider = issuer === undefined ? undefined : `arn:aws:iam::111122223333:oidc-provider/${issuer}`;
  return trail(time, id, {
    eventSource: "sts.amazonaws.com",
    eventName: "AssumeRoleWithWebIdentity",
    userIdentity: { type: "WebIdentityUser", userName: account, identityProvider: provider },
    requestParameters: { roleArn: "arn:aws:iam::111122223333:role/agent" },
    responseElements: { subjectFromWebIdentityToken: account, provider, ...issued(session) },
  });
}

export function assumeRole(time: EpochMs, id: string, caller: AwsSession, session: AwsSession): unknown {
  return trail(time, id, {
    eventSource: "sts.amazonaws.com",
    eventName: "AssumeRole",
    userIdentity: { type: "AssumedRole", arn: caller.arn, accessKeyId: caller.key },
    responseElements: issued(session),
  });
}

export function awsCall(time: EpochMs, id: string, session: AwsSession): unknown {
  const type = session.arn.includes(":user/") ? "IAMUser" : "AssumedRole";
  return trail(time, id, {
    eventSource: "ec2.amazonaws.com",
    eventName: "ModifyInstanceAttribute",
    readOnly: false,
    userIdentity: { type, arn: session.arn, accessKeyId: session.key },
  });
}

export function oktaGrant(time: EpochMs, uuid: string, client: string, token: string, until: EpochMs): unknown {
  return {
    uuid,
    published: iso(time),
    eventType: "app.oauth2.as.token.grant.access_token",
    severity: "INFO",
    outcome: { result: "SUCCESS" },
    actor: { id: client, type: "PublicClientApp", displayName: client },
    client: { ipAddress: "198.51.100.99" },
    debugContext: { debugData: { grantType: "client_credentials" } },
    target: [{ id: token, type: "access_token", detailEntry: { expires: iso(until) } }],
  };
}

export function oktaPerson(time: EpochMs, uuid: string, person: string, ip: string): unknown {
  return {
    uuid,
    published: iso(time),
    eventType: "user.session.start",
    severity: "INFO",
    outcome: { result: "SUCCESS" },
    actor: { id: person, type: "User", alternateId: `${person}@corp.example` },
    client: { ipAddress: ip },
  };
}

export interface VaultToken {
  readonly accessor: string;
  readonly entity: string;
  readonly pod: PodSpec;
}

const vaultAuth = ({ accessor, entity, pod }: VaultToken): object => ({
  accessor: `hmac-sha256:${accessor}`,
  client_token: `hmac-sha256:t${accessor}`,
  display_name: `${mountOf(pod.cluster)}-${pod.namespace}-${pod.account}`,
  entity_id: entity,
  policies: ["default", "agents"],
  metadata: { service_account_name: pod.account, service_account_namespace: pod.namespace },
  token_ttl: 3600,
});

export function vaultLogin(time: EpochMs, id: string, token: VaultToken): unknown {
  const mount = `auth/${mountOf(token.pod.cluster)}/`;
  const request = { id, operation: "update", path: `${mount}login`, mount_point: mount, mount_type: "kubernetes" };
  return { time: iso(time), type: "response", request: { ...request, remote_address: token.pod.ip }, response: { auth: vaultAuth(token) } };
}

/** A secret is read; an AWS key is made when one is given (and the mount does not hash it). */
export function vaultRead(time: EpochMs, id: string, token: VaultToken, accessKey: string | undefined): unknown {
  const [path, mount] = accessKey === undefined ? ["secret/data/x", "kv"] : ["aws/creds/deploy", "aws"];
  const request = { id, operation: "read", path, mount_point: `${path.split("/", 1)[0]}/`, mount_type: mount };
  const response = accessKey === undefined ? {} : { data: { access_key: accessKey }, secret: { lease_id: `aws/creds/deploy/${id}` } };
  return { time: iso(time), type: "response", auth: vaultAuth(token), request: { ...request, remote_address: token.pod.ip }, response };
}

export interface Flow {
  readonly ip: string;
  readonly port: number;
  readonly host: string;
  readonly peer: string;
  readonly bytes: number;
}

export function istio(time: EpochMs, flow: Flow, spiffe: string | undefined): unknown {
  return {
    start_time: iso(time),
    duration: 120,
    response_flags: "-",
    bytes_received: flow.bytes,
    bytes_sent: 900,
    downstream_remote_address: `${flow.ip}:${flow.port}`,
    upstream_host: `${flow.peer}:443`,
    upstream_cluster: `outbound|443||${flow.host}`,
    requested_server_name: flow.host,
    ...(spiffe === undefined ? {} : { downstream_peer_uri_san: spiffe }),
  };
}

export function zeek(time: EpochMs, uid: string, flow: Flow): unknown {
  return {
    ts: time / 1000,
    uid,
    "id.orig_h": flow.ip,
    "id.orig_p": flow.port,
    "id.resp_h": flow.peer,
    "id.resp_p": 443,
    proto: "tcp",
    service: "ssl",
    duration: 0.2,
    orig_bytes: flow.bytes,
    resp_bytes: 900,
    conn_state: "SF",
    local_orig: true,
    local_resp: false,
  };
}

/** Whole seconds, of a window of up to a minute. */
export function vpcflow(time: EpochMs, eni: string, flow: Flow): string {
  const start = Math.floor(time / 1000);
  return `2 111122223333 eni-${eni} ${flow.ip} ${flow.peer} ${flow.port} 443 6 9 ${flow.bytes} ${start} ${start + 30} ACCEPT OK`;
}

export function turn(time: EpochMs, id: string, agent: string, session: string): unknown {
  const run_id = `${session}-run`;
  return { type: "agent.turn", id, ts: time / 1000, agent_id: agent, session_id: session, run_id, tools: ["search"], findings: [] };
}
