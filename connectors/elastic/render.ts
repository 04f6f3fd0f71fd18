/**
 * One alert or incident revision as two lines of a bulk request: the action and an ECS document. Pure: the same
 * delivery gives the same bytes. Index and id come from configuration and from our own ids, never from content.
 */
import { agreed, renderWithin, type Finding } from "../../src/archetypes/finding.ts";
import { isoTime } from "../../src/archetypes/own-object.ts";
import type { Level } from "../../src/core/alert.ts";
import { poison } from "../../src/core/errors.ts";
import type { Event } from "../../src/core/event.ts";
import { safeText } from "../../src/core/safe-text.ts";
import type { FindingDelivery, Rendered } from "../../src/ports/connector.ts";

/** Where documents go. */
export interface IndexNames {
  readonly alertIndex: string;
  readonly incidentIndex: string;
}

/** Version of ECS that the field names are checked against. */
export const ECS_VERSION = "9.4.0";
/** The four values that Elastic Security's "External Alerts" rule maps to its severities; any other means medium there. */
const SEVERITY: Readonly<Record<Level, number>> = { informational: 21, low: 21, medium: 47, high: 73, critical: 99 };
/** Our ids are UUIDs; the pattern keeps an id from ever being more than a name (Elasticsearch allows 512 bytes). */
const ID = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;

/** Action and document of a delivery. @throws {Failure} poison RENDER_CONTRACT */
export function render(delivery: FindingDelivery, names: IndexNames, itemBytesMax: number): Rendered {
  const { subject } = delivery;
  const { id, revision } = subject.kind === "alert" ? subject.alert : subject.incident;
  if (!ID.test(id)) throw poison("RENDER_CONTRACT", "the id is not usable as a document's id");
  if (!Number.isSafeInteger(revision) || revision < 1) throw poison("RENDER_CONTRACT", "the revision is not a positive whole number");
  const index = subject.kind === "alert" ? names.alertIndex : names.incidentIndex;
  // External versions: a later revision replaces the document, an earlier one is refused with a conflict.
  const action = JSON.stringify({ index: { _index: index, _id: id, version: revision, version_type: "external" } });
  const rendered = renderWithin(delivery, itemBytesMax, (finding) => `${action}\n${JSON.stringify(ecsDocument(finding))}\n`);
  return { key: delivery.key, ...rendered, meta: { index, id, revision } };
}

function ecsDocument(finding: Finding): Readonly<Record<string, unknown>> {
  const { agent, rule, events, textMax } = finding;
  const common = (read: (event: Event) => string | undefined): string | undefined => {
    const value = agreed(events, read);
    return value === undefined ? undefined : safeText(value, textMax);
  };
  const sourceIp = address(common((event) => event.srcIp));
  const destinationIp = address(common((event) => event.dstIp));
  const destinationDomain = common((event) => event.dstHost);
  return {
    "@timestamp": isoTime(finding.lastTime),
    message: finding.title,
    ecs: { version: ECS_VERSION },
    event: {
      kind: "alert",
      category: ["intrusion_detection"],
      type: ["info"],
      module: "custodes",
      dataset: `custodes.${finding.kind}`,
      id: finding.id,
      severity: SEVERITY[finding.level],
      risk_score: finding.risk,
      risk_score_norm: finding.risk,
      reason: finding.description,
      reference: finding.runbook,
      created: isoTime(finding.createdTime),
      start: isoTime(finding.firstTime),
      end: isoTime(finding.lastTime),
    },
    observer: { vendor: "Custodes", product: "Custodes", type: "siem" },
    rule: rule === undefined ? undefined : { id: rule.id, name: rule.name, description: rule.description, reference: rule.reference },
    threat: threatOf(finding),
    gen_ai: agent === undefined ? undefined : { agent: { id: agent.id, name: agent.name } },
    related: { ip: finding.ips.flatMap((ip) => address(ip) ?? []), user: finding.users, hosts: finding.hosts },
    // Single-valued fields say only what all the evidence agrees on; everything else is listed under related.
    source: sourceIp === undefined ? undefined : { ip: sourceIp, address: sourceIp },
    destination:
      destinationIp === undefined && destinationDomain === undefined
        ? undefined
        : { ip: destinationIp, domain: destinationDomain, address: destinationDomain ?? destinationIp },
    user: userOf(common),
    cloud: cloudOf(common),
    tags: finding.tags,
    custodes: { ...finding.own, atlas: finding.attack.atlas },
  };
}

function threatOf({ attack }: Finding): Readonly<Record<string, unknown>> | undefined {
  if (attack.tactics.length === 0 && attack.techniques.length === 0) return undefined;
  return {
    framework: "MITRE ATT&CK",
    tactic:
      attack.tactics.length === 0
        ? undefined
        : { id: attack.tactics.map((tactic) => tactic.id), name: attack.tactics.map((tactic) => tactic.name) },
    technique:
      attack.techniques.length === 0
        ? undefined
        : { id: attack.techniques, subtechnique: attack.subTechniques.length === 0 ? undefined : { id: attack.subTechniques } },
  };
}

type Common = (read: (event: Event) => string | undefined) => string | undefined;

function userOf(common: Common): Readonly<Record<string, unknown>> | undefined {
  const id = common((event) => event.userUid);
  const name = common((event) => event.userName);
  return id === undefined && name === undefined ? undefined : { id, name };
}

function cloudOf(common: Common): Readonly<Record<string, unknown>> | undefined {
  const provider = common((event) => event.cloudProvider);
  const account = common((event) => event.cloudAccount);
  const region = common((event) => event.region);
  if (provider === undefined && account === undefined && region === undefined) return undefined;
  return { provider, account: account === undefined ? undefined : { id: account }, region };
}

const IPV4 = /^(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(\.(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}$/;

/**
 * The text when Elasticsearch's type `ip` takes it, which refuses leading zeros and zones. One bad address would have
 * the whole document refused, and addresses come from logs.
 */
function address(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  if (IPV4.test(text)) return text;
  return /^[0-9A-Fa-f:.]{2,45}$/.test(text) && text.includes(":") && URL.canParse(`http://[${text}]/`) ? text : undefined;
}
