/** The small fleet of the samples, and what other systems call its agents. */

/** One agent of the samples. */
export interface SampleAgent {
  readonly id: string;
  readonly name: string;
  readonly owner: string;
  readonly team: string;
  readonly role: string;
  readonly purpose: string;
  readonly classes: readonly string[];
  readonly hosts: readonly string[];
  readonly tools: readonly string[];
  readonly routes: readonly SampleRoute[];
  readonly region: string;
  readonly ip: string;
  readonly verbs: readonly string[];
  readonly bulkMb: number;
  readonly perMinute: number;
  /** Hour of the samples' day in which it is retired. */
  readonly retiredHour: number | undefined;
}

/** One route of the gateway. */
export interface SampleRoute {
  readonly name: string;
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly data: string;
}

const route = (name: string, method: "GET" | "POST", path: string, data: string): SampleRoute => ({ name, method, path, data });

/** Routes of the sample gateway by name. */
export const ROUTES = {
  tickets: route("tickets.get", "GET", "/v1/tickets/{id}", "ticket"),
  reply: route("tickets.reply", "POST", "/v1/tickets/{id}/replies", "ticket"),
  customer: route("customers.get", "GET", "/v1/customers/{id}", "customer"),
  customers: route("customers.export", "GET", "/v1/customers/export?page={id}", "customer"),
  orders: route("orders.get", "GET", "/v1/orders/{id}", "order"),
  refund: route("refunds.create", "POST", "/v1/orders/{id}/refund", "payment"),
  ledger: route("ledger.export", "GET", "/v1/ledger/export?page={id}", "finance"),
  payroll: route("payroll.export", "GET", "/v1/payroll/export?page={id}", "hr"),
  people: route("people.get", "GET", "/v1/people/{id}", "hr"),
  builds: route("builds.get", "GET", "/v1/builds/{id}", "telemetry"),
  leads: route("leads.get", "GET", "/v1/leads/{id}", "lead"),
  search: route("kb.search", "GET", "/v1/kb/search?q={id}", "public"),
  adminUsers: route("admin.users", "GET", "/admin/users/{id}", "admin"),
} as const;

const base = { region: "eu-west-1", verbs: [], bulkMb: 20, perMinute: 100, retiredHour: undefined } as const;

/** The agents. */
export const FLEET: readonly SampleAgent[] = [
  {
    ...base,
    id: "agt-support",
    name: "support-bot",
    owner: "mira.lund@corp.example",
    team: "Customer Care",
    role: "support",
    purpose: "customer_support",
    classes: ["ticket", "customer"],
    hosts: ["api.mail.example", "api.crm.example"],
    tools: ["search_kb", "read_ticket", "reply"],
    routes: [ROUTES.tickets, ROUTES.reply, ROUTES.customer, ROUTES.search],
    ip: "10.20.1.11",
  },
  {
    ...base,
    id: "agt-refund",
    name: "refund-bot",
    owner: "theo.brandt@corp.example",
    team: "Payments",
    role: "refunds",
    purpose: "refund_processing",
    classes: ["order", "payment", "customer"],
    hosts: ["api.pay.example"],
    tools: ["read_order", "create_refund"],
    routes: [ROUTES.orders, ROUTES.refund],
    ip: "10.20.1.12",
  },
  {
    ...base,
    id: "agt-report",
    name: "report-bot",
    owner: "ines.costa@corp.example",
    team: "Finance",
    role: "reporting",
    purpose: "monthly_reporting",
    classes: ["finance", "customer"],
    hosts: ["api.files.example"],
    tools: ["query_ledger", "write_report"],
    routes: [ROUTES.ledger, ROUTES.search],
    ip: "10.20.1.13",
    bulkMb: 200,
  },
  {
    ...base,
    id: "agt-deploy",
    name: "deploy-bot",
    owner: "sami.aho@corp.example",
    team: "Platform",
    role: "devops",
    purpose: "release_automation",
    classes: ["telemetry"],
    hosts: ["api.registry.example"],
    tools: ["read_build", "deploy"],
    routes: [ROUTES.builds],
    ip: "10.20.1.14",
    verbs: ["k8s:create:deployments", "k8s:patch:deployments"],
  },
  {
    ...base,
    id: "agt-lead",
    name: "lead-bot",
    owner: "noor.haddad@corp.example",
    team: "Sales Operations",
    role: "sales",
    purpose: "lead_enrichment",
    classes: ["lead"],
    hosts: ["api.crm.example"],
    tools: ["find_company", "score_lead"],
    routes: [ROUTES.leads, ROUTES.search],
    ip: "10.20.1.15",
  },
  {
    ...base,
    id: "agt-people",
    name: "people-bot",
    owner: "jan.kowal@corp.example",
    team: "Human Resources",
    role: "hr",
    purpose: "onboarding",
    classes: ["hr"],
    hosts: ["api.files.example", "api.mail.example"],
    tools: ["read_profile", "fill_form"],
    routes: [ROUTES.people, ROUTES.search],
    ip: "10.20.1.16",
  },
  {
    ...base,
    id: "agt-search",
    name: "search-bot",
    owner: "lea.moreau@corp.example",
    team: "Knowledge",
    role: "search",
    purpose: "internal_search",
    classes: [],
    hosts: ["api.index.example"],
    tools: ["search_kb", "summarize"],
    routes: [ROUTES.search],
    ip: "10.20.1.17",
    perMinute: 600,
  },
  {
    ...base,
    id: "agt-migrate",
    name: "migration-bot",
    owner: "sami.aho@corp.example",
    team: "Platform",
    role: "migration",
    purpose: "crm_migration",
    classes: ["customer"],
    hosts: ["api.crm.example"],
    tools: ["copy_record"],
    routes: [ROUTES.customer],
    ip: "10.20.1.18",
    retiredHour: 9,
  },
];

/** What each system calls an agent. */
export function namesOf(agent: SampleAgent) {
  const place = FLEET.indexOf(agent) + 1;
  const digit = String(place);
  return {
    kongCustomId: `ag_${agent.name.replaceAll("-", "_")}`,
    kongConsumerId: `0c0ffee0-0000-4000-a000-00000000000${digit}`,
    kongCredential: `c4ed0000-0000-4000-a000-00000000000${digit}`,
    oktaClientId: `0oademo${agent.name.replaceAll("-", "")}`.padEnd(20, "x").slice(0, 20),
    serviceAccount: `system:serviceaccount:agents:${agent.name}`,
    monitorId: `${agent.name}-v2`,
    podName: `${agent.name}-5d8f7c9b6-q${digit}x7k`,
    podUid: `70d00000-0000-4000-a000-00000000000${digit}`,
  };
}

const HOUR_MS = 3_600_000;

/** The registry file of the fleet, for samples of the 24 hours from `day` (epoch milliseconds). */
export function registryYaml(day: number): string {
  const text = JSON.stringify;
  const hour = (hours: number) => new Date(day + hours * HOUR_MS).toISOString().replace(".000Z", "Z");
  const lines = ["# The agents of the demo. Every value is JSON, which YAML reads as it is.", "version: 1", "agents:"];
  for (const agent of FLEET) {
    const names = namesOf(agent);
    lines.push(
      `  - id: ${text(agent.id)}`,
      `    name: ${text(agent.name)}`,
      `    owner: ${text(agent.owner)}`,
      `    team: ${text(agent.team)}`,
      `    role: ${text(agent.role)}`,
      `    purpose: ${text(agent.purpose)}`,
      `    data_classes: ${text(agent.classes)}`,
      `    allowed_hosts: ${text(agent.hosts)}`,
      `    regions: ${text([agent.region])}`,
      `    infra_verbs: ${text(agent.verbs)}`,
      `    expected_volume: ${text({ per_minute_max: agent.perMinute, bulk_mb_per_10m: agent.bulkMb })}`,
      `    lifecycle: ${text({ created_at: "2026-03-01T00:00:00Z", retired_at: agent.retiredHour === undefined ? null : hour(agent.retiredHour) })}`,
      `    identities: ${text({
        kong_custom_id: names.kongCustomId,
        kong_consumer_id: names.kongConsumerId,
        kong_credentials: [{ id: names.kongCredential, from: null, to: null }],
        okta_client_id: names.oktaClientId,
        k8s_service_account: names.serviceAccount,
        cp_security_agent_id: names.monitorId,
      })}`,
      `    pods: ${text([{ name: names.podName, uid: names.podUid, ip: agent.ip, from: hour(-24), to: null }])}`,
    );
  }
  return `${lines.join("\n")}\n`;
}
