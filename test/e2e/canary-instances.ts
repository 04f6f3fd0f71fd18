/** Configurations in which every secret is a canary. */

/** Settings of an instance per connector that has secrets; `canary` gives a reference to a new one. A new connector belongs here. */
export const INSTANCES: Readonly<Record<string, (url: string, canary: (form?: "key" | "whsec") => string) => readonly string[]>> = {
  elastic: (url, canary) => [`{ url: "${url}", apiKey: "${canary()}" }`],
  splunk: (url, canary) => [`{ url: "${url}", token: "${canary()}" }`],
  sentinel: (url, canary) => [
    `{ tenantId: example.com, clientId: 11111111-2222-4333-8444-555555555555, clientSecret: "${canary()}", endpoint: "${url}", authority: "${url}", dcrImmutableId: dcr-0123456789abcdef0123456789abcdef }`,
  ],
  pagerduty: (url, canary) => [
    `{ routingKey: "${canary("key")}", previousRoutingKey: "${canary("key")}", endpoint: "${url}", webhookSecret: "${canary()}", maxAge: 3d, minLevel: low }`,
  ],
  opensearch: (url, canary) => [
    `{ url: "${url}", basic: { username: me, password: "${canary()}" } }`,
    `{ url: "${url}", aws: { region: eu-central-1, service: es, accessKeyId: "${canary()}", secretAccessKey: "${canary()}", sessionToken: "${canary()}" } }`,
  ],
  slack: (url, canary) => [`{ token: "${canary()}", channel: C0123456789, endpoint: "${url}" }`],
  servicenow: (url, canary) => [`{ url: "${url}", username: me, password: "${canary()}" }`, `{ url: "${url}", token: "${canary()}" }`],
  webhook: (url, canary) => [`{ url: "${url}/hook", secrets: ["${canary("whsec")}"], authorization: "${canary()}" }`],
  s3: (url, canary) => [
    `{ bucket: findings, region: eu-central-1, endpoint: "${url}", accessKeyId: "${canary()}", secretAccessKey: "${canary()}", sessionToken: "${canary()}" }`,
  ],
  kafka: (url, canary) => [
    `{ brokers: ["${new URL(url).host}"], topic: t, tls: false, sasl: { mechanism: PLAIN, username: me, password: "${canary()}" } }`,
  ],
  "otlp-logs": (url, canary) => [`{ endpoint: "${url}", headers: { authorization: "${canary()}" } }`],
  syslog: (url, canary) => [
    `{ host: "${new URL(url).hostname}", port: ${new URL(url).port}, certificate: "${canary()}", key: "${canary()}" }`,
  ],
  alertmanager: (url, canary) => [`{ urls: ["${url}"], authorization: "${canary()}" }`],
  okta: (url, canary) => [`{ url: "${url}", apiToken: "${canary()}", every: "* * * * * *" }`],
  http: (url, canary) =>
    [
      `{ type: bearer, token: "${canary()}" }`,
      `{ type: basic, username: me, password: "${canary()}" }`,
      `{ type: header, name: X-Key, value: "${canary()}" }`,
      `{ type: oauth2, tokenUrl: "${url}/token", clientId: me, clientSecret: "${canary()}", send: header }`,
      `{ type: oauth2, tokenUrl: "${url}/token", clientId: me, clientSecret: "${canary()}", send: body }`,
    ].map(
      (auth) =>
        `{ url: "${url}/events", auth: ${auth}, headers: { X-More: "${canary()}" }, query: { key: "${canary()}" }, every: "* * * * * *", map: { category: agent_api, vendor: v, product: p, time: t } }`,
    ),
};
