import { describe, expect, it } from "vitest";
import s3 from "../../connectors/s3/s3.ts";
import type { Delivery } from "../../src/ports/connector.ts";
import { ocsfErrors, schemasPresent } from "../core/ocsf-validator.ts";
import { hostileAlert, hostileIncident, hugeIncident } from "../fixtures/hostile.ts";
import { alertSubject, delivery, eventDelivery, incidentSubject } from "../fixtures/subjects.ts";

const NAME = "s3/lake";

describe("a line of an S3 object", () => {
  const destination = s3.destination!(s3.config.parse({ bucket: "agent-findings", region: "eu-central-1" }));
  const lineOf = (one: Delivery): Line => JSON.parse(destination.render(one).body) as Line;
  it.each([
    ["alert", delivery(alertSubject(), NAME)],
    ["incident", delivery(incidentSubject(), NAME)],
    ["event", eventDelivery(2, NAME)],
  ])("looks like the sample: %s", async (kind, one) => {
    await expect(`${JSON.stringify(lineOf(one), null, 2)}\n`).toMatchFileSnapshot(`../../connectors/s3/samples/${kind}.json.golden`);
  });
  it.runIf(schemasPresent)("is valid OCSF with the delivery's key in it, on one line", () => {
    for (const subject of [alertSubject(), incidentSubject(), hostileAlert(), hostileIncident(), hugeIncident()]) {
      const one = delivery(subject, NAME);
      expect(ocsfErrors(lineOf(one), "1.8.0")).toEqual([]);
      expect(lineOf(one).unmapped.delivery_key).toBe(one.key);
      expect(destination.render(one).body).not.toMatch(/[\r\n]/);
    }
  });
});

interface Line {
  readonly class_uid: number;
  readonly unmapped: { readonly delivery_key: string };
}
