/** Real vendor logs beside the checkout, and how each folder's wrapping is taken off until it is what the vendor writes. */
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { gunzipSync } from "node:zlib";
import { parse } from "yaml";
import cloudtrail from "../../connectors/aws-cloudtrail/aws-cloudtrail.ts";
import vpcflow from "../../connectors/aws-vpcflow/aws-vpcflow.ts";
import istio from "../../connectors/istio/istio.ts";
import kubernetes from "../../connectors/kubernetes/kubernetes.ts";
import okta from "../../connectors/okta/okta.ts";
import otlp from "../../connectors/otlp/otlp.ts";
import zeek from "../../connectors/zeek/zeek.ts";
import type { Connector } from "../../src/ports/connector.ts";

/** Where the reference data lies; absent in a plain clone. */
const DATA = resolve(import.meta.dirname, "../../../shared/data");

/** One vendor's files in one collection, for one connector. */
export interface Dataset {
  readonly name: string;
  readonly connector: Connector;
  /** Files of MANIFEST.json. */
  readonly files: RegExp;
  /** Keys of the connector's configuration, where the default would pass most of the records over. */
  readonly config?: object;
  /** The text of a file -> texts in the vendor's own format, each a file of its own; default the text as it is. */
  readonly unwrap?: (text: string) => readonly string[];
}

type Json = Record<string, unknown>;

/** Every JSON document of a text: one, or one per line; a text that is neither stays one broken record. */
function documents(text: string): unknown[] {
  const whole = parsed(text);
  if (whole !== undefined) return [whole];
  const parts = text.split("\n").filter((line) => line.trim() !== "");
  const each = parts.map(parsed).filter((one) => one !== undefined);
  return each.length === parts.length ? each : [new Broken(text)];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A text that no JSON parser reads; it must count as a record that was not understood. */
class Broken {
  readonly text: string;
  constructor(text: string) {
    this.text = text.replaceAll(/\s+/g, " ");
  }
}

const lines = (records: readonly unknown[]): string[] => [
  records.map((record) => (record instanceof Broken ? record.text : JSON.stringify(record))).join("\n"),
];
const flat = (text: string): unknown[] => documents(text).flat();
/** Pretty-printed documents and arrays as one record per line. */
const oneLineEach = (text: string): string[] => lines(flat(text));
/**
 * Files of rule tests: `{tests: [{event}]}`. The events are cut down by hand and their times rewritten by a parser, so the
 * id and time that every real record has are put back; everything else is as it is.
 */
const ruleTests = (complete: (event: Json, index: number) => Json, keep: (event: Json) => boolean = () => true) => {
  return (text: string): string[] => {
    const events = flat(text).flatMap((file) => ((file as Json)["tests"] as { event: Json }[]).map(({ event }) => event));
    return lines(events.filter(keep).map(complete));
  };
};
const TIME = "2026-03-31T00:05:19Z";
/** `2022-06-10 17:19:58.423` is UTC without saying so. */
const utc = (time: unknown): string => (typeof time === "string" ? `${time.replace(" ", "T").replace(/Z?$/, "Z")}` : TIME);
/** Column names of a warehouse that writes everything small. */
const OKTA_NAMES = ["authenticationContext", "debugContext", "displayMessage", "eventType", "legacyEventType", "securityContext"];
const oktaEvent = (event: Json, index: number): Json => {
  const spelt = Object.entries(event).map(([key, value]) => [OKTA_NAMES.find((name) => name.toLowerCase() === key) ?? key, value] as const);
  return { uuid: `rule-test-${index}`, ...Object.fromEntries(spelt), published: utc(event["published"]) };
};
const cloudtrailEvent = (event: Json, index: number): Json => ({
  eventID: `rule-test-${index}`,
  ...event,
  eventTime: utc(event["eventTime"]),
});
const auditEvent = (event: Json, index: number): Json => ({
  auditID: `rule-test-${index}`,
  stage: "ResponseComplete",
  ...event,
  requestReceivedTimestamp: utc(event["requestReceivedTimestamp"]),
});
/** Files of an ECS pipeline: the vendor's text is kept in `event.original`. */
const original = (text: string): string[] => [
  flat(text)
    .map((one) => ((one as Json)["event"] as Json)["original"])
    .join("\n"),
];
/** Rows whose columns are spelt with underscores, as a flow log of a custom format: header line, then values. */
const flowLines = (text: string): string[] => flat(text).map((row) => flowFile(row as Json));
const flowFile = (row: Json): string =>
  `${Object.keys(row)
    .map((key) => key.replaceAll("_", "-"))
    .join(" ")}\n${Object.values(row).join(" ")}`;
/** The same from a table that is separated by commas. */
const flowTable = (text: string): string[] => {
  const [header, ...rows] = text
    .trim()
    .split("\n")
    .map((line) => line.split(","));
  return rows.map((row) => flowFile(Object.fromEntries(header!.map((name, index) => [name, row[index] ?? "-"]))));
};
/** Expected spans have neither ids nor times, because every run has others. */
const expectedSpan = (text: string): string[] =>
  lines(
    flat(text).map((span, index) => ({
      resourceSpans: [
        {
          scopeSpans: [
            {
              spans: [
                {
                  ...(span as Json),
                  traceId: "ab".repeat(16),
                  spanId: String(index + 1).padStart(16, "0"),
                  startTimeUnixNano: "1774915519100000000",
                },
              ],
            },
          ],
        },
      ],
    })),
  );
const scenario = (text: string): string[] =>
  lines(text.split(/^---$/m).flatMap((part) => ((parse(part) as Json | null)?.["Logs"] as unknown[] | undefined) ?? []));
const isAudit = (event: Json): boolean => event["auditID"] !== undefined || event["kind"] === "Event";

/** Flows inside of a network too. */
const EVERYTHING = { path: "/data", keep: "all" };

/**
 * Not taken, because they are not what a vendor writes: Panther's VPC flow rows (its own parser's output), audit events
 * inside of Google's or Microsoft's envelopes, Zeek's tab-separated logs (the connector reads JSON), traces that Langfuse
 * and Phoenix exported in forms of their own.
 */
export const DATASETS: readonly Dataset[] = [
  {
    name: "okta: rule tests",
    connector: okta as Connector,
    files: /^panther-rule-tests\/okta\//,
    unwrap: ruleTests(oktaEvent),
  },
  { name: "okta: scenarios", connector: okta as Connector, files: /^panther-scenarios\/okta.*\.yml$/, unwrap: scenario },
  { name: "okta: OCSF examples", connector: okta as Connector, files: /^ocsf-examples\/Okta\/.*\.raw$/, unwrap: oneLineEach },
  { name: "okta: Elastic", connector: okta as Connector, files: /^_elastic-license\/.*\/okta\.system\.json$/, unwrap: original },
  {
    name: "cloudtrail: rule tests",
    connector: cloudtrail as Connector,
    files: /^panther-rule-tests\/aws_cloudtrail\//,
    unwrap: ruleTests(cloudtrailEvent),
  },
  { name: "cloudtrail: scenarios", connector: cloudtrail as Connector, files: /^panther-scenarios\/.*cloudtrail\.yml$/, unwrap: scenario },
  { name: "cloudtrail: OCSF examples", connector: cloudtrail as Connector, files: /^ocsf-examples\/AWS\/.*CloudTrail.*\.raw$/ },
  { name: "cloudtrail: Security Lake", connector: cloudtrail as Connector, files: /^aws-security-lake\/CLOUD_TRAIL-.*\.test\.json$/ },
  { name: "cloudtrail: Stratus attacks", connector: cloudtrail as Connector, files: /^attack\/stratus-detonation-logs\/aws\..*\.json$/ },
  { name: "cloudtrail: OTRF attack", connector: cloudtrail as Connector, files: /^attack\/otrf\/ec2_proxy.*\.json\.gz$/ },
  { name: "cloudtrail: CrowdSec", connector: cloudtrail as Connector, files: /^crowdsec-hub\/aws\/aws-cloudtrail.*\.log$/ },
  { name: "cloudtrail: OpenSearch", connector: cloudtrail as Connector, files: /^opensearch-catalog\/aws_cloudtrail\/raw-sample\.json$/ },
  {
    name: "vpcflow: Security Lake",
    connector: vpcflow as Connector,
    config: EVERYTHING,
    files: /^aws-security-lake\/VPC_FLOW-\/vpc_flow-input\d\.json$/,
    unwrap: flowLines,
  },
  {
    name: "vpcflow: OCSF examples (JSON)",
    connector: vpcflow as Connector,
    config: EVERYTHING,
    files: /^ocsf-examples\/AWS\/v1\.1\.0-VPC_Flow.*\.raw$/,
    unwrap: flowLines,
  },
  {
    name: "vpcflow: OCSF examples (table)",
    connector: vpcflow as Connector,
    config: EVERYTHING,
    files: /^ocsf-examples\/AWS\/v1\.5\.0-VPC_Flow.*\.raw$/,
    unwrap: flowTable,
  },
  {
    name: "vpcflow: OpenSearch",
    connector: vpcflow as Connector,
    config: EVERYTHING,
    files: /^opensearch-catalog\/amazon_vpc_flow\/sample\.json$/,
    unwrap: (text) => [
      flat(text)
        .map((one) => (one as Json)["body"])
        .join("\n"),
    ],
  },
  {
    name: "vpcflow: Elastic",
    connector: vpcflow as Connector,
    config: EVERYTHING,
    files: /^_elastic-license\/.*\/aws\.vpcflow\.json$/,
    unwrap: original,
  },
  {
    name: "kubernetes: rule tests",
    connector: kubernetes as Connector,
    files: /^panther-rule-tests\/(kubernetes|aws_eks)\//,
    unwrap: ruleTests(auditEvent, isAudit),
  },
  { name: "kubernetes: Falco", connector: kubernetes as Connector, files: /^k8s-audit\/falco\/.*\.json$/, unwrap: oneLineEach },
  { name: "kubernetes: CrowdSec", connector: kubernetes as Connector, files: /^crowdsec-hub\/kubernetes\/.*\.log$/ },
  { name: "istio: CrowdSec (Envoy)", connector: istio as Connector, files: /^crowdsec-hub\/envoy\/.*\.log$/ },
  { name: "zeek: OTRF attack", connector: zeek as Connector, config: EVERYTHING, files: /^attack\/otrf\/apt29-day1-zeek\// },
  { name: "zeek: sample logs", connector: zeek as Connector, config: EVERYTHING, files: /^ocsf-examples\/Zeek\/raw_sample_log_dataset\// },
  {
    name: "zeek: OCSF examples",
    connector: zeek as Connector,
    config: EVERYTHING,
    files: /^ocsf-examples\/Zeek\/v1.*\.raw$/,
    unwrap: oneLineEach,
  },
  { name: "otlp: collector", connector: otlp as Connector, files: /^lnav\/logfile_otel_collector\.jsonl$/ },
  {
    name: "otlp: Envoy AI Gateway spans",
    connector: otlp as Connector,
    files: /^llm-api-http\/envoy-ai-gateway\/.*\.span\.json$/,
    unwrap: expectedSpan,
  },
];

/** Whether the reference data is there. @throws {Error} when it is not, in CI */
export function dataPresent(): boolean {
  const present = existsSync(resolve(DATA, "MANIFEST.json"));
  if (!present && process.env["CI"] === "true") throw new Error("../shared/data is missing");
  return present;
}

/** Texts of a dataset in the vendor's own format. */
export function textsOf(dataset: Dataset): { readonly file: string; readonly texts: readonly string[] }[] {
  const manifest = JSON.parse(readFileSync(resolve(DATA, "MANIFEST.json"), "utf8")) as { file: string }[];
  const files = manifest.map(({ file }) => file).filter((file) => dataset.files.test(file));
  return files.map((file) => {
    const bytes = readFileSync(resolve(DATA, file));
    const text = (file.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
    return { file, texts: dataset.unwrap?.(text) ?? [text] };
  });
}
