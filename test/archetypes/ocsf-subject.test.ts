import { describe, expect, test } from "vitest";
import { OCSF_BYTES_MIN, ocsfWithin } from "../../src/archetypes/ocsf-subject.ts";
import { CLASS } from "../../src/core/event.ts";
import { newEvent } from "../../src/core/new-event.ts";
import type { Delivery } from "../../src/ports/connector.ts";
import { ocsfErrors, schemasPresent } from "../core/ocsf-validator.ts";
import { hostileAlert, hostileIncident, hugeIncident } from "../fixtures/hostile.ts";
import { alertSubject, delivery, incidentSubject } from "../fixtures/subjects.ts";

const LISTS = ["agents", "toolNames", "scopes", "dataClasses", "dnsAnswers"];

/** An event of a class with the largest text in every field that can hold one. */
function fullEvent(classUid: number): Delivery {
  const event = newEvent("kong:0d8f2c7a-94b1-5a0e-8a55-1f0c3a5e7b21", 1_787_389_243_512, "agent_api", classUid, 1);
  const fields = event as unknown as Record<string, unknown>;
  // Three bytes in UTF-8 and one unit: the worst that a text of a given length can be.
  for (const key of Object.keys(event))
    if (fields[key] === undefined) fields[key] = LISTS.includes(key) ? ["漢".repeat(3_000)] : "漢".repeat(3_000);
  fields["links"] = undefined;
  return { key: "s3/x:event:1:1", destination: "s3/x", subject: { kind: "event", event }, createdTime: 1, attempts: 0 };
}

const hardest = [
  ...[hostileAlert(), hostileIncident(), hugeIncident()].map((one) => delivery(one)),
  ...Object.values(CLASS).map(fullEvent),
];

describe.each(["1.8.0", "1.9.0"] as const)("a subject as OCSF %s", (version) => {
  test("always fits into the promised bytes, and stays valid", () => {
    for (const one of hardest) {
      // A kilobyte is left for what destinations put around it.
      const { body, bytes } = ocsfWithin(one, { bytesMax: OCSF_BYTES_MIN - 1_000, version }, (ocsf) => JSON.stringify(ocsf));
      expect(bytes).toBe(Buffer.byteLength(body));
      expect(bytes).toBeLessThan(OCSF_BYTES_MIN);
      if (schemasPresent && one.subject.kind !== "event") expect(ocsfErrors(JSON.parse(body) as object, version)).toEqual([]);
    }
  });

  test("is whole where there is room, and says by how much it was shortened where there is not", () => {
    const read = (bytesMax: number): { unmapped: { shortened?: number }; evidences?: readonly object[] } =>
      JSON.parse(ocsfWithin(delivery(alertSubject()), { bytesMax, version }, (ocsf) => JSON.stringify(ocsf)).body) as ReturnType<
        typeof read
      >;
    expect(read(1_000_000).unmapped.shortened).toBeUndefined();
    expect(read(1_000_000).evidences).toHaveLength(2);
    expect(read(3_500).unmapped.shortened).toBeGreaterThan(3);
  });

  test("that cannot be told in so few bytes is refused", () => {
    for (const one of [delivery(incidentSubject()), ...hardest.slice(0, 3)])
      expect(() => ocsfWithin(one, { bytesMax: 500, version }, (ocsf) => JSON.stringify(ocsf))).toThrowError(
        expect.objectContaining({ kind: "poison", code: "RENDER_CONTRACT" }),
      );
  });
});

test.each([Number.NaN, -1, 1.5, Infinity])("a time that is none is refused: %d", (time) => {
  const event = { ...newEvent("u", 1, "agent_api", CLASS.apiActivity, 1), time };
  const one: Delivery = { ...fullEvent(CLASS.apiActivity), subject: { kind: "event", event } };
  for (const subject of [one, delivery(alertSubject({ firstTime: time })), delivery(incidentSubject({ lastTime: time }))])
    expect(() => ocsfWithin(subject, { bytesMax: 99_999, version: "1.8.0" }, (ocsf) => JSON.stringify(ocsf))).toThrowError(
      expect.objectContaining({ kind: "poison", code: "RENDER_CONTRACT" }),
    );
});
