import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { CEF_LENGTHS, CEF_PLAIN } from "../../connectors/syslog/cef.ts";
import type { Delivery } from "../../src/ports/connector.ts";
import { ocsfErrors, schemasPresent } from "../core/ocsf-validator.ts";
import { alertSubject, delivery, eventDelivery, incidentSubject, storyEvents } from "../fixtures/subjects.ts";
import { readCef } from "../simulators/syslog.ts";
import { destinationTo, NAME, subjects } from "./syslog-world.ts";

const LIMITS = "../shared/contracts/data/others/cef-leef/cef-extensions.yaml";

describe("a CEF message", () => {
  const destination = destinationTo(6514);
  const textOf = (one: Delivery): string => destination.render(one).body.replace(/^\S+ \S+ \S+ \S+ \S+ \S+ - /, "");

  it.each([
    ["alert", delivery(alertSubject(), NAME)],
    ["incident", delivery(incidentSubject(), NAME)],
    ["event", eventDelivery(1, NAME)],
  ])("looks like the sample: %s", async (kind, one) => {
    await expect(`${destination.render(one).body}\n`).toMatchFileSnapshot(`../../connectors/syslog/samples/${kind}.cef.golden`);
    const ocsf = destinationTo(6514, { format: "ocsf", enterpriseId: 32_473 }).render(one).body;
    await expect(`${ocsf}\n`).toMatchFileSnapshot(`../../connectors/syslog/samples/${kind}.ocsf.golden`);
  });

  it("says what the subject says, and nothing that a text in it pretends", () => {
    const { header, severity, extension } = readCef(textOf(subjects[5]!));
    expect(header).toEqual([
      "Custodes",
      "Custodes",
      "1.0",
      "incident",
      expect.stringMatching(/^a\|b=c\\ d="e"\] msg=forged <0>1/) as string,
    ]);
    expect(severity).toBe(10);
    expect(extension["msg"]).toMatch(
      /^a\|b=c\\ d="e"\] msg=forged <0>1 - - - - - - forged 8 <0>1 -\\u\{0\} src=6\.6\.6\.6 \\u\{202e\}end$/,
    );
    expect(extension["src"]).toBeUndefined();
    expect(extension["suser"]).toBe(extension["msg"]);
  });

  it("names an address or host only when all events agree on it, and says what happened to an incident", () => {
    const of = (one: Delivery) => readCef(textOf(one)).extension;
    const events = storyEvents();
    expect(of(delivery(alertSubject(), NAME))).not.toHaveProperty("src");
    const one = of(delivery({ ...alertSubject(), evidence: events.slice(0, 1) }, NAME));
    expect([one["src"], one["dhost"]]).toEqual(["198.51.100.23", undefined]);
    expect(of(delivery(incidentSubject(), NAME))["dhost"]).toBe("files.unlisted.example");
    const acts = [incidentSubject({ revision: 1 }), incidentSubject(), incidentSubject({ status: 5 })].map(
      (item) => of(delivery(item, NAME))["act"],
    );
    expect(acts).toEqual(["incident.opened", "incident.updated", "incident.closed"]);
  });

  it.each([
    ["198.51.100.23", { src: "198.51.100.23" }],
    ["2001:db8::1", { c6a1: "2001:db8::1" }],
    ["not an address", {}],
    ["1.2.3.4 act=x", {}],
    ["", {}],
  ])("puts the address %j where it belongs", (srcIp, expected) => {
    const one = eventDelivery(0, NAME);
    const event = { ...storyEvents()[0]!, srcIp };
    const { extension } = readCef(textOf({ ...one, subject: { kind: "event", event } }));
    const { src, c6a1 } = extension;
    expect({ ...(src === undefined ? {} : { src }), ...(c6a1 === undefined ? {} : { c6a1 }) }).toEqual(expected);
  });

  it("leaves out numbers that are no CEF integers", () => {
    const event = { ...storyEvents()[1]!, bytesIn: 3_000_000_000, bytesOut: 1.5 };
    const { extension } = readCef(textOf({ ...eventDelivery(1, NAME), subject: { kind: "event", event } }));
    expect([extension["in"], extension["out"]]).toEqual([undefined, undefined]);
  });

  const reference = existsSync(LIMITS) ? (parse(readFileSync(LIMITS, "utf8")) as { extensions: readonly Key[] }).extensions : undefined;
  if (reference === undefined && process.env["CI"] === "true") throw new Error(`${LIMITS} is needed and missing`);
  it.runIf(reference !== undefined)("uses only the dictionary's keys, for producers, within their lengths and types", () => {
    const known = new Map((reference ?? []).map((one) => [one.key, one]));
    for (const [key, length] of Object.entries(CEF_LENGTHS)) {
      expect([key, known.get(key)?.type, known.get(key)?.length]).toEqual([key, "string", length]);
    }
    for (const key of CEF_PLAIN) expect(["string", undefined]).not.toContain(known.get(key)?.type);
    let pairs = 0;
    for (const one of subjects) {
      const { header, extension } = readCef(textOf(one));
      expect([header[3]!.length <= 1_023, header[4]!.length <= 512]).toEqual([true, true]);
      for (const [key, value] of Object.entries(extension)) {
        const of = known.get(key);
        pairs++;
        expect(["producer", "both"], key).toContain(of?.audience);
        if (of?.length !== undefined) expect(value.length, key).toBeLessThanOrEqual(of.length);
        if (of !== undefined && of.type in TYPES) expect(value, key).toMatch(TYPES[of.type]!);
        if (key.endsWith("Label")) expect(extension).toHaveProperty(key.slice(0, -"Label".length));
      }
    }
    expect(pairs).toBeGreaterThan(100);
  });

  it.runIf(schemasPresent)("or OCSF is valid OCSF", () => {
    const to = destinationTo(6514, { format: "ocsf", messageBytesMax: 21_000 });
    for (const one of subjects) {
      const { body } = to.render(one);
      const { ocsf } = JSON.parse(body.slice(body.indexOf("{"))) as { ocsf: object };
      expect(ocsfErrors(ocsf, "1.8.0")).toEqual([]);
    }
  });
});

interface Key {
  readonly key: string;
  readonly type: string;
  readonly length?: number;
  readonly audience: string;
}

const TYPES: Readonly<Record<string, RegExp>> = {
  integer: /^\d{1,10}$/,
  long: /^\d{1,19}$/,
  timestamp: /^\d{10,15}$/,
  ipv4_address: /^\d{1,3}(\.\d{1,3}){3}$/,
  ipv6_address: /^[0-9a-f:.]+$/i,
};
