/** The object `custodes` of an event: what ECS has no field for. Its keys are fixed, so that a mapping cannot grow with the content. */
import type { Event } from "../../core/event.ts";

type Text = (value: string | undefined) => string | undefined;
type List = (values: Iterable<string | undefined>) => readonly string[];

/** Keys without a value are undefined. `key` is the delivery's. */
export function ownEvent(event: Event, key: string, text: Text, list: List): Readonly<Record<string, unknown>> {
  const lists = (values: readonly string[] | undefined): readonly string[] | undefined => {
    const kept = values === undefined ? [] : list(values);
    return kept.length === 0 ? undefined : kept;
  };
  return {
    kind: "event",
    key: text(key),
    category: event.category,
    class: event.classUid,
    activity: event.activityId,
    original_id: text(event.originalUid),
    role: text(event.agentRole),
    state: text(event.agentState),
    agents: lists(event.agents),
    attribution: event.attributionId,
    confidence: number(event.attributionConfidence),
    agent_native: text(event.agentNative),
    agent_version: text(event.agentVersion),
    client: text(event.clientUid),
    credentials: lists(event.credentialUid === undefined ? [] : [event.credentialUid]),
    iam_role: text(event.roleUid),
    service_account: text(event.serviceAccount),
    spiffe_id: text(event.spiffeId),
    session: text(event.sessionUid),
    run: text(event.runUid),
    conversation: text(event.conversationUid),
    tools: lists(event.toolNames),
    cost_usd: number(event.costUsd),
    refusal: event.refusal,
    finish_reason: text(event.finishReason),
    purpose: text(event.purpose),
    consent: text(event.consentUid),
    approval: text(event.approvalUid),
    on_behalf_of: text(event.onBehalfOf),
    threat: text(event.findingThreat),
    signal: text(event.findingSignal),
    finding_severity: text(event.findingSeverity),
    input_hash: text(event.inputHash),
    output_hash: text(event.outputHash),
    args_hash: text(event.argsHash),
    route: text(event.routeName),
    data_classes: lists(event.dataClasses),
    scopes: lists(event.scopes),
    grant_type: text(event.grantType),
    grant: text(event.grant),
    mfa: event.isMfa,
    change: event.isChange,
    privileged: event.privileged,
    resource: text(event.resourceUid),
    resource_name: text(event.resourceName),
    resource_type: text(event.resourceType),
    source_registered: event.srcRegistered,
    destination_allowed: event.dstAllowed,
    region_declared: event.regionDeclared,
    action_declared: event.actionDeclared,
    data_class_allowed: event.dataClassAllowed,
    dns_answers: lists(event.dnsAnswers),
  };
}

function number(value: number | undefined): number | undefined {
  return value !== undefined && Number.isFinite(value) ? value : undefined;
}
