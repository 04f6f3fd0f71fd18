import { describe, expect, test } from "vitest";
import { ownObject } from "../../../src/archetypes/own-object.ts";
import { incidentFields, alertFields } from "../../../connectors/sentinel/additional.ts";
import { details } from "../../../connectors/pagerduty/details.ts";
import type { SourceGap } from "../../../src/core/completeness/gap.ts";
import { isPartial, missingIn } from "../../../src/core/completeness/partial.ts";
import { alertToOcsf, incidentToOcsf } from "../../../src/core/ocsf.ts";
import type { FindingDelivery, FindingSubject } from "../../../src/ports/connector.ts";
import { alertSubject, incidentSubject } from "../../fixtures/subjects.ts";
import { ocsfErrors, schemasPresent } from "../ocsf-validator.ts";

const gap = (id: string, from: number, to: number | null, more: Partial<SourceGap> = {}): SourceGap => ({
  ...({ id, source: "s/1", from, to, why: "count", detail: "d", state: "open", foundTime: 3, endTime: null, whole: null } as const),
  ...more,
});

describe("what is missing of a time", () => {
  test("are gaps that overlap it and are not healed, by their beginning, and no more than a few", () => {
    const gaps = [
      gap("b", 15, null),
      gap("a", 5, 10),
      gap("h", 10, 20, { state: "healed" }),
      gap("l", 12, 13, { state: "lost" }),
      gap("o", 1, 4),
    ];
    expect(missingIn({ missing: [], gaps }, 10, 20).gaps.map(({ from }) => from)).toEqual([5, 12, 15]);
    const many = Array.from({ length: 30 }, (_, index) => gap(`g${index}`, index, 99));
    expect(missingIn({ missing: [], gaps: many }, 50, 60).gaps).toHaveLength(10);
  });
  test("are sources that stalled before its end", () => {
    const bySource = [
      { source: "a/1", watermark: 19 },
      { source: "b/1", watermark: 20 },
      { source: "c/1", watermark: undefined },
    ];
    const found = missingIn({ missing: ["a/1", "b/1", "c/1"], bySource }, 10, 20);
    expect(found.missing).toEqual(["a/1", "c/1"]);
    expect([isPartial(found), isPartial({ missing: [], gaps: [] }), isPartial({ missing: [], gaps: [gap("a", 1, 2)] })]).toEqual([
      true,
      false,
      true,
    ]);
  });
});

describe("what is missing is told", () => {
  const TIME = 1_774_915_519_693;
  const coverage = { state: "partial", missing: ["okta/corp"], gaps: [{ source: "http/a", from: TIME, to: null, why: "count" }] } as const;
  const partial = alertSubject({ coverage });
  const whole = alertSubject();
  const incident = { ...incidentSubject().incident, coverage: { ...coverage, watermark: TIME } };
  const delivery = (subject: FindingSubject): FindingDelivery => ({
    key: "k",
    destination: "d/1",
    subject,
    createdTime: TIME,
    attempts: 0,
  });
  const texts = ["okta/corp", "http/a: count 2026-03-31T00:05:19.693Z/now"];
  test("in OCSF, where the schema allows anything", () => {
    const ocsf = (subject: typeof partial) => alertToOcsf(subject.alert, subject.rule, subject.evidence, { version: "1.8.0" });
    expect(JSON.stringify(ocsf(partial))).toContain('"coverage":{"state":"partial","missing":["okta/corp"],"gaps":[{"source":"http/a"');
    expect(JSON.stringify(ocsf(whole))).not.toContain('"coverage"');
    expect(JSON.stringify(incidentToOcsf(incident, [], [], { version: "1.8.0" }))).toContain('"gaps":[{"source":"http/a"');
    if (schemasPresent) expect(ocsfErrors(ocsf(partial), "1.8.0")).toEqual([]);
  });
  test("in our own objects and in Sentinel's and PagerDuty's fields", () => {
    const caps = { list: 10, evidence: 10, alerts: 10, timeline: 10, text: 1000 };
    expect(ownObject(delivery(partial), [], caps)).toMatchObject({ coverage: "partial", coverage_missing: texts });
    expect(ownObject(delivery(whole), [], caps)["coverage"]).toBeUndefined();
    expect(ownObject(delivery({ ...incidentSubject(), incident }), [], caps)["coverage_missing"]).toEqual(texts);
    expect(alertFields(delivery(partial), partial)).toMatchObject({ Coverage: "partial", CoverageMissing: texts });
    expect(alertFields(delivery(whole), whole)).not.toHaveProperty("Coverage");
    expect(incidentFields(delivery({ ...incidentSubject(), incident }), { ...incidentSubject(), incident })).toMatchObject({
      CoverageMissing: texts,
    });
    expect(details(incident, [])).toMatchObject({ coverage: "partial", missing_sources: texts });
  });
});
