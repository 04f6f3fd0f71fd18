/**
 * What every connector makes of real vendors' logs. The numbers are what is read today: a change may raise them, and
 * must say why when it lowers one. `node test/bench/vendor-rates.ts` prints them.
 */
import { describe, expect, test } from "vitest";
import { DATASETS, dataPresent } from "../bench/vendor-data.ts";
import { ratesOf } from "../bench/vendor-rates.ts";
import { schemasPresent } from "../core/ocsf-validator.ts";

/** Records understood (an event, or of no interest) and events, at least. Hand-made rule tests lack required fields. */
const BOUNDS: Readonly<Record<string, readonly [understood: number, events: number]>> = {
  "okta: rule tests": [52, 49],
  "okta: scenarios": [17, 17],
  "okta: OCSF examples": [5, 5],
  "okta: Elastic": [1, 1],
  "cloudtrail: rule tests": [290, 291],
  "cloudtrail: scenarios": [11, 11],
  "cloudtrail: OCSF examples": [11, 11],
  "cloudtrail: Security Lake": [15, 15],
  "cloudtrail: Stratus attacks": [182, 182],
  "cloudtrail: OTRF attack": [103, 103],
  "cloudtrail: CrowdSec": [6, 6],
  "cloudtrail: OpenSearch": [1, 1],
  "vpcflow: Security Lake": [2, 1],
  "vpcflow: OCSF examples (JSON)": [1, 1],
  "vpcflow: OCSF examples (table)": [1, 1],
  "vpcflow: OpenSearch": [22, 22],
  "vpcflow: Elastic": [1, 1],
  "kubernetes: rule tests": [98, 97],
  "kubernetes: Falco": [27, 27],
  "kubernetes: CrowdSec": [1, 1],
  "istio: CrowdSec (Envoy)": [49, 49],
  "zeek: OTRF attack": [1275, 876],
  "zeek: sample logs": [1472, 1024],
  "zeek: OCSF examples": [4, 2],
  "otlp: collector": [11, 0],
  "otlp: Envoy AI Gateway spans": [16, 16],
};

describe.skipIf(!dataPresent() || !schemasPresent)("real vendor logs (need ../shared/data and ../shared/reference)", () => {
  test("every dataset has its bounds", () => {
    expect(Object.keys(BOUNDS)).toEqual(DATASETS.map(({ name }) => name));
  });

  test.each(DATASETS)("$name: as much as ever is understood, and all of it is valid OCSF", (dataset) => {
    const rates = ratesOf(dataset);
    const [understood, events] = BOUNDS[dataset.name] ?? [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    expect(rates.files).toBeGreaterThan(0);
    expect(rates.records - rates.quarantined).toBeGreaterThanOrEqual(understood);
    expect(rates.events).toBeGreaterThanOrEqual(events);
    expect(rates.invalid).toEqual([]);
    expect(rates.valid).toBe(rates.events);
  });
});
