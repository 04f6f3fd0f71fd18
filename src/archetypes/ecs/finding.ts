/** An alert or an incident as an ECS document, as Elastic Security and OpenSearch Security Analytics read it. Pure. */
import type { Event } from "../../core/event.ts";
import { safeText } from "../../core/safe-text.ts";
import { agreed, type Finding } from "../finding.ts";
import { isoTime } from "../own-object.ts";
import { address, ECS_VERSION, SEVERITY, some } from "./values.ts";

/** The document of an alert or incident; keys without a value are undefined and so left out of JSON. */
export function ecsFinding(finding: Finding): Readonly<Record<string, unknown>> {
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
    destination: some({ ip: destinationIp, domain: destinationDomain, address: destinationDomain ?? destinationIp }),
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
  return some({ id: common((event) => event.userUid), name: common((event) => event.userName) });
}

function cloudOf(common: Common): Readonly<Record<string, unknown>> | undefined {
  return some({
    provider: common((event) => event.cloudProvider)?.toLowerCase(),
    account: some({ id: common((event) => event.cloudAccount) }),
    region: common((event) => event.region),
  });
}
