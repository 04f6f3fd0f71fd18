import { z } from "zod";
import { duration, LOCAL_HOSTS, secret, serverUrl } from "../../src/archetypes/settings.ts";

/** Labels that the connector sets itself: a fixed one of the same name would make two subjects one. */
const OWN_LABELS: ReadonlySet<string> = new Set(["alertname", "incident_id", "alert_id", "rule_id", "entity", "severity"]);

const keys = z.strictObject({
  urls: z
    .array(serverUrl("https://alertmanager.example.com:9093"))
    .min(1)
    .max(10)
    .describe("Every Alertmanager of the cluster, with its path prefix if it has one: they do not tell each other of alerts"),
  authorization: secret.optional().describe("Value of the header Authorization, as a secret reference"),
  allowHttp: z.boolean().default(false).describe("Permit http to another machine, e.g. in the same cluster"),
  labels: z
    .record(z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]{0,63}$/, "must be a label name: letters, digits and _"), z.string().min(1).max(256))
    .default({})
    .describe("Labels of everything that is sent, to route by, e.g. team: security. Changing them makes open incidents new ones there"),
  openFor: duration.prefault("7d").describe("How long an open incident stays so without a further revision. It is resolved when it closes"),
  alertFor: duration.prefault("1h").describe("How long an alert stays firing after its last revision: nothing closes it"),
  timeoutMs: z.number().int().min(100).max(300_000).default(10_000).describe("Longest wait for an answer, milliseconds"),
});

/** Keys of one Alertmanager or cluster of them. */
export const config = keys.check(({ value, issues }) => {
  value.urls.forEach((url, index) => {
    if (url.startsWith("http:") && !value.allowHttp && !LOCAL_HOSTS.has(new URL(url).hostname))
      issues.push({
        code: "custom",
        path: ["urls", index],
        message: "must be https: what is sent would travel unencrypted (allowHttp permits it where another layer encrypts)",
        input: url,
      });
  });
  for (const name of Object.keys(value.labels).filter((one) => OWN_LABELS.has(one)))
    issues.push({ code: "custom", path: ["labels", name], message: "is set by the connector itself", input: undefined });
});

/** The validated configuration. */
export type Config = z.output<typeof config>;
