import { describe, expect, it } from "vitest";
import { FIELD_BYTES_MAX } from "../../connectors/sentinel/additional.ts";
import { COLUMNS } from "../../connectors/sentinel/columns.ts";
import { BATCH_BYTES_MAX, BATCH_ITEMS_MAX, ITEM_BYTES_MAX, render } from "../../connectors/sentinel/render.ts";
import { LEVELS } from "../../src/core/alert.ts";
import type { FindingDelivery, FindingSubject } from "../../src/ports/connector.ts";
import { ALERT_EVENT_COLUMNS } from "../../src/simulators/sentinel-table.ts";
import { hostileAlert, hostileIncident, hugeIncident } from "../fixtures/hostile.ts";
import { alertSubject, delivery, incidentSubject, ruleInfo, STORY_TIME } from "../fixtures/subjects.ts";
import { asimErrors as errorsOf, asimPresent, type Row } from "./sentinel-asim.ts";

const NAME = "sentinel/soc";
const REPORT = { reportUrl: "https://soc.example.com/custodes/{id}" };

const rowOf = (subject: FindingSubject, changes: Partial<FindingDelivery> = {}): Row =>
  JSON.parse(render({ ...delivery(subject, NAME), ...changes }, REPORT).body) as Row;
const asimErrors = (row: Row): string[] => errorsOf(row, "AlertEvent");
const fieldsOf = (row: Row): Row => row["AdditionalFields"] as Row;

const subjects: readonly (readonly [string, FindingSubject])[] = [
  ["an alert", alertSubject()],
  ["a final alert", alertSubject({ final: true, count: 0, level: "critical" })],
  ["an alert without group, agents and evidence", { ...alertSubject({ group: {}, agents: [], evidence: [] }), evidence: [] }],
  ["an incident", incidentSubject()],
  ["a closed incident", incidentSubject({ status: 5, final: true, agentName: undefined, agentOwner: undefined, users: [] })],
  ["a huge incident", hugeIncident()],
];

describe("sentinel's rows", () => {
  it.skipIf(!asimPresent).each(subjects)("are valid AlertEvent rows: %s", (_, subject) => {
    expect(asimErrors(rowOf(subject))).toEqual([]);
  });

  it.skipIf(!asimPresent)("stay valid when the evidence names every entity", () => {
    const subject = alertSubject();
    const [login, ...rest] = subject.evidence;
    const full = {
      ...login!,
      host: "node-7.prod.example",
      process: "python3",
      filePath: "/etc/shadow",
      dstHost: "a.example",
      url: "/x?y=1",
    };
    const row = rowOf({ ...subject, evidence: [{ ...full, userTypeId: 4, actionId: 2, sessionUid: "s-1", cloudAccount: "42" }, ...rest] });
    expect(asimErrors(row)).toEqual([]);
    expect(row).toMatchObject({
      DvcHostname: "node-7",
      DvcFQDN: "node-7.prod.example",
      DvcDomain: "prod.example",
      DvcDomainType: "FQDN",
      ProcessName: "python3",
      FilePath: "/etc/shadow",
      Url: "a.example/x?y=1",
      UserId: "00u1invoicebot",
      UserIdType: "Other",
      Username: "invoice-bot@example.com",
      UsernameType: "UPN",
      UserType: "Service",
      UserSessionId: "s-1",
      DvcScopeId: "42",
    });
    expect(Object.keys(row).sort()).toEqual(
      Object.keys(COLUMNS)
        .filter((name) => row[name] !== undefined)
        .sort(),
    );
  });

  it.skipIf(!asimPresent)("would be found invalid by this test's validator if they were", () => {
    const { EventUid: _, ...row } = rowOf(alertSubject());
    const broken = { ...row, EventSeverity: "Critical", EventCount: "7", AlertId: "x", Unheard: 1, Username: undefined, DvcDomain: "a.b" };
    expect(asimErrors(broken).sort()).toEqual([
      "AlertId is an alias, which a table does not store",
      "DvcDomainType is required with DvcDomain",
      'EventCount must be of type Integer, not "7"',
      'EventSeverity must not be "Critical"',
      "EventUid is mandatory",
      "Unheard is unknown",
      "UsernameType goes with Username",
    ]);
  });

  it("has only columns, with their types, that the table has", () => {
    for (const [name, type] of Object.entries(COLUMNS)) expect(ALERT_EVENT_COLUMNS.get(name), name).toBe(type);
    expect(Object.keys(rowOf(incidentSubject())).filter((name) => !Object.hasOwn(COLUMNS, name))).toEqual([]);
  });

  it.each(LEVELS)("keeps the level %s, which ASIM may not know", (level) => {
    const row = rowOf(alertSubject({ level }));
    const known = level === "critical" ? "High" : level.charAt(0).toUpperCase() + level.slice(1);
    expect([row["EventSeverity"], row["EventOriginalSeverity"]]).toEqual([known, level]);
  });

  it("tells revisions of one alert apart and repeated rows of one delivery together", () => {
    const [one, two] = [rowOf(alertSubject({ revision: 1 })), rowOf(alertSubject({ revision: 2 }))];
    expect(one["EventUid"]).toBe(two["EventUid"]);
    expect([fieldsOf(one)["Revision"], fieldsOf(two)["Revision"]]).toEqual([1, 2]);
    expect(fieldsOf(two)["DedupKey"]).toBe(delivery(alertSubject({ revision: 2 }), NAME).key);
    expect(fieldsOf(one)["DedupKey"]).not.toBe(fieldsOf(two)["DedupKey"]);
  });

  it("is stamped with the time of the revision, so that a late one is not missed by a rule that looks back minutes", () => {
    const row = rowOf(alertSubject(), { createdTime: STORY_TIME + 86_400_000 * 5 });
    expect(row["TimeGenerated"]).toBe(new Date(STORY_TIME + 86_400_000 * 5).toISOString());
    expect(row["EventStartTime"]).toBe(new Date(STORY_TIME).toISOString());
  });

  it.each([
    [1, "Active", "new"],
    [2, "Active", "in progress"],
    [3, "Active", "on hold"],
    [4, "Closed", "resolved"],
    [5, "Closed", "closed"],
  ])("says of status %i that it is %s", (status, asim, original) => {
    expect(rowOf(incidentSubject({ status }))).toMatchObject({ AlertStatus: asim, AlertOriginalStatus: original });
  });

  it("counts a silent window as one event, which is the least that a row stands for", () => {
    expect([0, 1, 7].map((count) => rowOf(alertSubject({ count }))["EventCount"])).toEqual([1, 1, 7]);
  });

  it("names scheduled rules as such", () => {
    const subject = alertSubject();
    expect(rowOf(subject)["DetectionMethod"]).toBe("Behavioral Analytics");
    expect(rowOf({ ...subject, rule: ruleInfo({ schedule: "daily" }) })["DetectionMethod"]).toBe("Scheduled Alerts");
  });

  it("gives up the least useful lists first when a field would be too large, and says so", () => {
    const subject = incidentSubject();
    const wide = (prefix: string) => Array.from({ length: 60 }, (_, index) => `${prefix}${index}${"ä".repeat(200)}`);
    const incident = { ...subject.incident, hosts: wide("h"), users: wide("u"), tags: wide("t"), credentials: wide("c") };
    const row = rowOf({ ...subject, incident });
    const fields = fieldsOf(row);
    expect(Buffer.byteLength(JSON.stringify(fields))).toBeLessThanOrEqual(FIELD_BYTES_MAX);
    expect(fields["Truncated"]).toEqual(["Proof", "Timeline", "EvidenceIds", "Alerts", "Tags", "Mappings", "Hosts", "Users"]);
    expect(fields["Timeline"]).toBeUndefined();
    expect(fields["Credentials"]).toHaveLength(40);
    expect(fieldsOf(rowOf(subject))["Truncated"]).toBeUndefined();
  });

  it.each([
    ["alert", hostileAlert()],
    ["incident", hostileIncident()],
  ] as const)("keeps every field of a hostile %s below the service's limits", (_, subject) => {
    const row = rowOf(subject);
    for (const [name, value] of Object.entries(row)) {
      const bytes = Buffer.byteLength(typeof value === "string" ? value : JSON.stringify(value));
      expect(bytes, name).toBeLessThanOrEqual(32_000);
    }
  });

  it("cannot exceed the limit of a call with any batch that its limits allow", () => {
    expect(BATCH_BYTES_MAX + BATCH_ITEMS_MAX - 1 + 2).toBeLessThanOrEqual(1_000_000);
    expect(ITEM_BYTES_MAX).toBeLessThan(BATCH_BYTES_MAX);
  });

  it("refuses a time that no calendar has", () => {
    const subject = alertSubject({ lastTime: 1e300 });
    expect(() => rowOf(subject)).toThrow(expect.objectContaining({ kind: "poison", code: "RENDER_CONTRACT" }) as Error);
  });

  it.each([
    ["alert", alertSubject()],
    ["incident", incidentSubject()],
  ] as const)("look like this: %s", async (kind, subject) => {
    const text = `${JSON.stringify(rowOf(subject), undefined, 2)}\n`;
    await expect(text).toMatchFileSnapshot(`../../connectors/sentinel/samples/${kind}.json.golden`);
  });
});
