import { createReadStream, existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { z } from "zod";
import { LEVELS, unknownRule, type RuleInfo } from "../core/alert.ts";
import { Failure } from "../core/errors.ts";
import type { Connector, Delivery, Destination, Subject } from "../ports/connector.ts";
import { fixedSecret } from "../config/secrets.ts";
import { deliveryKey } from "../pipeline/route.ts";
import { BUILTIN_RULES, loadPack } from "../rules.ts";
import { CommandError, EXIT, lineWriter, note } from "./output.ts";

/** Options of `custodes render`. */
export interface RenderOptions {
  readonly destination: string;
  readonly in: string;
  readonly out?: string;
  readonly rules: readonly string[];
}

/** A line that `backtest` prints. */
const alertLine = z.object({
  rule_id: z.string(),
  rule_title: z.string(),
  group: z.record(z.string(), z.string()),
  bucket: z.number(),
  first_time: z.number(),
  last_time: z.number(),
  count: z.number(),
  evidence: z.array(z.string()),
  severity: z.enum(LEVELS),
  agents: z.array(z.string()).default([]),
  id: z.string(),
});

/**
 * What a destination needs to render without being configured: only its shape, never a place or a credential in use.
 * Of several the first one that fits the key is taken; a key that none fits is left out.
 */
const PLACEHOLDERS: Readonly<Record<string, readonly unknown[]>> = {
  url: ["https://render.invalid"],
  apiKey: [fixedSecret("render")],
  basic: [{ username: "render", password: fixedSecret("render") }],
  token: [fixedSecret("render")],
  routingKey: [fixedSecret("0".repeat(32))],
  tenantId: ["00000000-0000-0000-0000-000000000000"],
  clientId: ["00000000-0000-0000-0000-000000000000"],
  clientSecret: [fixedSecret("render")],
  endpoint: ["https://render.invalid", "https://render.ingest.monitor.azure.com"],
  channel: ["C00000000"],
  host: ["render.invalid"],
  brokers: [["render.invalid:9092"]],
  topic: ["render"],
  bucket: ["render"],
  region: ["eu-central-1"],
  urls: [["https://render.invalid"]],
  secrets: [[fixedSecret(`whsec_${Buffer.alloc(32).toString("base64")}`)]],
  dcrImmutableId: ["dcr-00000000000000000000000000000000"],
};

/** Prints the exact bytes that would be sent for each alert, checked against the destination's limits. */
export async function renderCommand(options: RenderOptions, connectors: readonly Connector[]): Promise<number> {
  const destination = offlineDestination(options.destination, connectors);
  const pack = loadPack(options.rules.length === 0 ? [BUILTIN_RULES] : options.rules);
  if (options.in !== "-" && !existsSync(options.in)) throw new CommandError(`--in ${options.in}: there is no such file`, EXIT.usage);
  const output = lineWriter(options.out);
  const input = options.in === "-" ? process.stdin : createReadStream(options.in);
  if (!destination.accepts.includes("alert"))
    note(
      `${options.destination} takes incidents only: each alert is shown as an incident of its own; the service groups those of one agent`,
    );
  let line = 0;
  let refused = 0;
  for await (const text of createInterface({ input, crlfDelay: Infinity })) {
    line++;
    if (text.trim() === "") continue;
    try {
      const rendered = destination.render(toDelivery(text, options.destination, pack.rule, destination));
      if (rendered.skip !== undefined) note(`${options.in}:${line}: not sent: ${rendered.skip}`);
      else if (rendered.bytes > destination.limits.itemBytes)
        throw new Failure(`${rendered.bytes} bytes exceed the limit of ${destination.limits.itemBytes}`, {
          kind: "poison",
          code: "RENDER_CONTRACT",
        });
      else await output.write(rendered.body.replace(/\n$/, ""));
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      refused++;
      note(`${options.in}:${line}: ${error.code}: ${error.message}`);
    }
  }
  await output.end();
  return refused === 0 ? EXIT.good : EXIT.no;
}

function offlineDestination(id: string, connectors: readonly Connector[]): Destination {
  const known = connectors.filter((one) => one.destination !== undefined);
  const connector = known.find((one) => one.id === id);
  if (connector?.destination === undefined) {
    throw new CommandError(`there is no destination "${id}"; known: ${known.map((one) => one.id).join(", ")}`, EXIT.usage);
  }
  const parsed = connector.config.safeParse(placeholders(connector.config));
  if (!parsed.success) throw new CommandError(`the destination "${id}" cannot be rendered offline: ${parsed.error.message}`, EXIT.no);
  return connector.destination(parsed.data);
}

function placeholders(schema: z.ZodType): Readonly<Record<string, unknown>> {
  const shape = "shape" in schema ? (schema.shape as Readonly<Record<string, z.ZodType>>) : {};
  const given: Record<string, unknown> = {};
  for (const [key, candidates] of Object.entries(PLACEHOLDERS)) {
    const fitting = candidates.find((one) => shape[key]?.safeParse(one).success === true);
    if (fitting !== undefined) given[key] = fitting;
  }
  return given;
}

/** Alerts are rendered as alerts; a destination that only takes incidents gets each as an incident of its own. */
function toDelivery(text: string, destination: string, rule: (id: string) => RuleInfo | undefined, to: Destination): Delivery {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Failure("the line is not JSON; give the lines that backtest prints", {
      kind: "poison",
      code: "RECORD_NOT_JSON",
      cause: error,
    });
  }
  const parsed = alertLine.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new Failure(`is not an alert: ${issue?.path.join(".") ?? ""}: ${issue?.message ?? ""}`, {
      kind: "poison",
      code: "RECORD_FIELD_INVALID",
    });
  }
  const subject = toSubject(parsed.data, rule, to);
  const id = parsed.data.id;
  return {
    key: deliveryKey(`${destination}/render`, subject.kind, id, 1),
    destination: `${destination}/render`,
    subject,
    createdTime: parsed.data.last_time,
    attempts: 0,
  };
}

function toSubject(line: z.output<typeof alertLine>, rule: (id: string) => RuleInfo | undefined, to: Destination): Subject {
  const info: RuleInfo = rule(line.rule_id) ?? unknownRule(line.rule_id, line.rule_title, line.severity);
  const alert = {
    id: line.id,
    ruleId: line.rule_id,
    ruleTitle: line.rule_title,
    level: line.severity,
    group: line.group,
    bucket: line.bucket,
    firstTime: line.first_time,
    lastTime: line.last_time,
    count: line.count,
    evidence: line.evidence,
    agents: line.agents,
    revision: 1,
    final: true,
  };
  if (to.accepts.includes("alert")) return { kind: "alert", alert, rule: info, evidence: [] };
  const agentUid = line.agents[0];
  const entity = agentUid === undefined ? `rule:${line.rule_id}` : `agent:${agentUid}`;
  return {
    kind: "incident",
    rules: [info],
    evidence: [],
    incident: {
      id: line.id,
      revision: 1,
      entity,
      agentUid,
      agentName: undefined,
      agentOwner: undefined,
      title: `${line.rule_title}: ${agentUid ?? entity}`,
      story: `${line.rule_title} (${line.count} events).`,
      level: line.severity,
      risk: info.risk ?? 0,
      status: 1,
      openedTime: line.first_time,
      firstTime: line.first_time,
      lastTime: line.last_time,
      alerts: [alert],
      tags: info.tags,
      maps: info.maps,
      timeline: [],
      hosts: [],
      ips: [],
      users: [],
      credentials: [],
      runbooks: info.runbook === undefined ? [] : [info.runbook],
      actions: info.response?.actions ?? [],
      final: true,
      coverage: { state: "complete", missing: [], watermark: undefined },
    },
  };
}
