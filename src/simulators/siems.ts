/** The four simulated SIEMs as a user would configure them. */
import { ELASTIC_DEMO_KEY } from "./elastic.ts";
import { PAGERDUTY_DEMO_KEY } from "./pagerduty.ts";
import { SENTINEL_DEMO } from "./sentinel.ts";
import { SPLUNK_DEMO_TOKEN } from "./splunk.ts";

/** Variables of the environment that `siemDestinations` refers to. */
export const SIEM_SECRETS: Readonly<Record<string, string>> = {
  ELASTIC_API_KEY: ELASTIC_DEMO_KEY,
  SPLUNK_TOKEN: SPLUNK_DEMO_TOKEN,
  AZURE_CLIENT_SECRET: SENTINEL_DEMO.clientSecret,
  PAGERDUTY_KEY: PAGERDUTY_DEMO_KEY,
};

/** Addresses of the simulators. */
export interface Siems {
  readonly elastic: { readonly url: string };
  readonly splunk: { readonly url: string };
  readonly sentinel: { readonly url: string; readonly authority: string };
  readonly pagerduty: { readonly url: string };
}

/** The key `destinations` of a configuration, as YAML. `maxAge` is how old an incident may be that still pages. */
export function siemDestinations({ elastic, splunk, sentinel, pagerduty }: Siems, maxAge: string): string {
  return `destinations:
  elastic/soc: { url: "${elastic.url}", apiKey: "\${env:ELASTIC_API_KEY}" }
  splunk/soc: { url: "${splunk.url}", token: "\${env:SPLUNK_TOKEN}" }
  sentinel/soc:
    tenantId: ${SENTINEL_DEMO.tenantId}
    clientId: ${SENTINEL_DEMO.clientId}
    clientSecret: "\${env:AZURE_CLIENT_SECRET}"
    endpoint: "${sentinel.url}"
    authority: "${sentinel.authority}"
    dcrImmutableId: ${SENTINEL_DEMO.dcrImmutableId}
  pagerduty/oncall: { routingKey: "\${env:PAGERDUTY_KEY}", endpoint: "${pagerduty.url}", maxAge: ${maxAge} }
`;
}
