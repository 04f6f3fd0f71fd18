/** A pack of synthetic detection rules of the kinds that Sigma packs have, for measuring how cost grows with their number. */
import { regexEngine } from "../../src/adapters/rules/re2.ts";
import { parseRuleFile } from "../../src/adapters/rules/yaml.ts";
import type { Event } from "../../src/core/event.ts";
import { compileRules } from "../../src/core/sigma/compile.ts";
import { eventReader } from "../../src/core/sigma/event-reader.ts";
import type { RuleSet } from "../../src/core/sigma/rules.ts";

/** The same numbers for ever: a small linear congruential generator. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * below);
  };
}

const SYLLABLES = [
  "ad",
  "min",
  "ex",
  "fil",
  "tok",
  "en",
  "se",
  "cret",
  "dro",
  "p",
  "shell",
  "cur",
  "l",
  "key",
  "dump",
  "roo",
  "t",
  "pa",
  "ss",
  "in",
];
const OPERATIONS = ["llm.chat", "kb.search", "customers.get", "tickets.get", "orders.list", "ledger.entries", "logs.search"];
const AGENTS = ["curl/", "python-requests/", "agent-sdk/2.7.1", "kubectl/v1.34.2", "sqlmap/", "nikto/", "okhttp/"];

/**
 * `count` rules: exact values, lists, substrings, prefixes, suffixes, patterns, regular expressions, numbers, addresses,
 * exclusions and alternatives, over the categories of a gateway, egress, authentication and infrastructure. One value in
 * eight is one that the workload has, so that rules also match.
 */
export function syntheticPack(count: number): RuleSet<Event> {
  const pick = numbers(7);
  const word = (): string => Array.from({ length: 2 + pick(3) }, () => SYLLABLES[pick(SYLLABLES.length)]!).join("") + String(pick(1000));
  const of = (items: readonly string[]): string => items[pick(items.length)]!;
  const mostly = (real: readonly string[], made: () => string): string => (pick(8) === 0 ? of(real) : made());
  const kinds: readonly (() => readonly [category: string, detection: object])[] = [
    () => [
      "agent_api",
      { s: { "api.operation": mostly(OPERATIONS, () => `${word()}.get`), "http_response.code|gte": 500 }, condition: "s" },
    ],
    () => ["agent_api", { s: { "http_request.url.path|contains": [`/${word()}/`, mostly(["/v1/kb/s"], word)] }, condition: "s" }],
    () => [
      "agent_api",
      { s: { "http_request.url.path|startswith": `/v1/${word()}` }, n: { "http_request.http_method": "GET" }, condition: "s and not n" },
    ],
    () => ["agent_api", { s: { "http_request.url.path|re": `/${word()}/[0-9]{1,6}/(edit|delete)$` }, condition: "s" }],
    () => [
      "agent_api",
      { s: { "http_request.user_agent|contains": mostly(AGENTS, word), "api.response.code": [401, 403] }, condition: "s" },
    ],
    () => ["agent_api", { s: { "http_request.user_agent|re": `(?i)${word()}[/ ]\\d+` }, condition: "s" }],
    () => ["agent_api", { s: { "tool.name": [word(), word(), word()] }, f: { "agent.role": "admin" }, condition: "s and not f" }],
    () => ["agent_api", { a: { "api.service.name": word() }, b: { "route.name|endswith": `.${word()}` }, condition: "a or b" }],
    () => [
      "egress",
      {
        s: {
          "dst_endpoint.hostname|endswith": mostly([".pay-saas.example"], () => `.${word()}.example`),
          "traffic.bytes_out|gt": 50_000_000,
        },
        condition: "s",
      },
    ],
    () => ["egress", { s: { "dst_endpoint.hostname": Array.from({ length: 12 }, () => `${word()}.example`) }, condition: "s" }],
    () => ["egress", { s: { "dst_endpoint.ip|cidr": `203.0.${pick(256)}.0/24`, "dst_endpoint.port": [22, 2222] }, condition: "s" }],
    () => ["dns", { s: { "query.hostname|contains": [word(), word()] }, condition: "s" }],
    () => ["authentication", { s: { "actor.user.name": word(), status_id: 2 }, condition: "s" }],
    () => ["authentication", { s: { "src_endpoint.ip|cidr": `198.51.${pick(256)}.0/28`, status_id: 2 }, condition: "s" }],
    () => [
      "infra_change",
      { s: { "infra.action": [`aws:iam:${word()}`, mostly(["aws:ec2:AuthorizeSecurityGroupIngress"], word)] }, condition: "s" },
    ],
    () => ["infra_change", { s: { "infra.action|contains": word(), "infra.privileged": true }, condition: "s" }],
  ];
  const documents = Array.from({ length: count }, (_, index) => {
    const [category, detection] = kinds[index % kinds.length]!();
    return JSON.stringify({
      title: `Synthetic ${index}`,
      name: `s${index}`,
      logsource: { product: "agent", category },
      detection,
      level: "low",
    });
  });
  const rules = compileRules(parseRuleFile("synthetic.yml", documents.join("\n---\n")), {
    reader: eventReader,
    regex: regexEngine,
    logsource: true,
  });
  if (rules.rejected.length > 0) throw new Error(`a synthetic rule is rejected: ${rules.rejected[0]!.reason}`);
  return rules;
}
