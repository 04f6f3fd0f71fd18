import { describe, expect, it } from "vitest";
import kafka from "../../connectors/kafka/kafka.ts";
import type { Destination } from "../../src/ports/connector.ts";
import { ocsfErrors, schemasPresent } from "../core/ocsf-validator.ts";
import { hostileAlert, hostileIncident, hugeIncident } from "../fixtures/hostile.ts";
import { alertSubject, delivery, eventDelivery, incidentSubject } from "../fixtures/subjects.ts";

const NAME = "kafka/bus";
const destinationWith = (changes: object = {}): Destination =>
  kafka.destination!(kafka.config.parse({ brokers: ["kafka.example.com:9092"], topic: "findings", ...changes }));

describe("a Kafka record", () => {
  const destination = destinationWith();
  it.each([
    ["alert", delivery(alertSubject(), NAME)],
    ["incident", delivery(incidentSubject(), NAME)],
    ["event", eventDelivery(0, NAME)],
  ])("looks like the sample: %s", async (kind, one) => {
    const { meta, body } = destination.render(one);
    await expect(`${JSON.stringify({ meta, value: JSON.parse(body) as unknown }, null, 2)}\n`).toMatchFileSnapshot(
      `../../connectors/kafka/samples/${kind}.json.golden`,
    );
  });

  it("is keyed by subject, or by agent where one is known", () => {
    const byAgent = destinationWith({ key: "agent" });
    const keyOf = (to: Destination, subject: Parameters<typeof delivery>[0]): unknown =>
      to.render(delivery(subject, NAME)).meta?.["recordKey"];
    expect(keyOf(destination, alertSubject())).toBe(alertSubject().alert.id);
    expect(keyOf(byAgent, alertSubject())).toBe("agent-invoice-bot");
    expect(keyOf(byAgent, incidentSubject())).toBe("agent-invoice-bot");
    for (const agents of [[], ["a", "b"], [""]]) expect(keyOf(byAgent, alertSubject({ agents }))).toBe(alertSubject().alert.id);
  });

  it.runIf(schemasPresent)("is valid OCSF within its limit, whatever the texts say", () => {
    for (const subject of [hostileAlert(), hostileIncident(), hugeIncident()]) {
      const { body, bytes, meta } = destinationWith({ recordBytesMax: 25_000 }).render(delivery(subject, NAME));
      expect(ocsfErrors(JSON.parse(body) as object, "1.8.0")).toEqual([]);
      expect(bytes).toBeLessThanOrEqual(25_000);
      expect(JSON.stringify(meta)).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    }
  });
});
