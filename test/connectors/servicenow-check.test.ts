import { describe, expect, it } from "vitest";
import servicenow from "../../connectors/servicenow/servicenow.ts";
import { everythingIn, testContext, testSecret } from "../fixtures/context.ts";
import { alertSubject, delivery, incidentSubject } from "../fixtures/subjects.ts";
import { NAME, PASSWORD, within } from "./servicenow-world.ts";

describe("servicenow's samples, configuration and check", () => {
  it.each([
    ["event-alert", {}, alertSubject(), undefined],
    ["event-incident", {}, incidentSubject(), undefined],
    ["event-incident-closed", {}, incidentSubject({ status: 5, revision: 4 }), undefined],
    ["record-incident", { api: "incidents", category: "security" }, incidentSubject(), undefined],
    [
      "record-incident-closed",
      { api: "incidents", closeState: "6", closeCode: "Solution provided" },
      incidentSubject({ status: 5, revision: 4 }),
      `${"a".repeat(32)}:high`,
    ],
  ] as const)("look like this: %s", async (name, settings, subject, memory) => {
    const config = servicenow.config.parse({ url: "https://acme.service-now.com", token: testSecret("x"), ...settings });
    const given = delivery(subject, NAME);
    const { body } = servicenow.destination!(config).render(memory === undefined ? given : { ...given, memory });
    await expect(`${JSON.stringify(JSON.parse(body), undefined, 2)}\n`).toMatchFileSnapshot(
      `../../connectors/servicenow/samples/${name}.json.golden`,
    );
  });

  it.each([
    [{}],
    [{ username: "u" }],
    [{ password: testSecret("x") }],
    [{ username: "u", password: testSecret("x"), token: testSecret("x") }],
    [{ token: testSecret("x"), url: "http://acme.service-now.com" }],
    [{ token: testSecret("x"), table: "incident/../x" }],
    [{ username: "u^ORactive=true", password: testSecret("x") }],
  ])("refuses %j", (keys) => {
    expect(servicenow.config.safeParse({ url: "https://acme.service-now.com", ...keys }).success).toBe(false);
  });

  it.each([
    ["all is well", {}, {}, "credential true, role true", undefined],
    ["all is well with the table", {}, { api: "incidents" }, "credential true, table true", undefined],
    ["a wrong password", {}, { password: testSecret("nope") }, "credential false", /password/],
    ["a table that is not there", {}, { api: "incidents", table: "sn_si_incident" }, "credential true, table false", /plugin/],
    ["nobody there", {}, { url: "http://127.0.0.1:1" }, "credential false", /firewall/],
  ])("finds %s", async (_, options, settings, expected, fix) => {
    await within(options, settings, async (world) => {
      const checks = await servicenow.check(world.config, testContext().context);
      expect(checks.map(({ name, ok }) => `${name} ${ok}`).join(", ")).toBe(expected);
      if (fix !== undefined) expect(checks.find(({ ok }) => !ok)?.fix).toMatch(fix);
      expect(everythingIn(checks)).not.toContain(PASSWORD);
      expect(world.received()).toEqual([]);
    });
  });

  it("says that an instance hibernates", async () => {
    await within({}, {}, async (world) => {
      world.fail({ status: 200, headers: { "content-type": "text/html" }, body: "<html>" });
      expect((await servicenow.check(world.config, testContext().context))[0]).toMatchObject({
        ok: false,
        fix: expect.stringMatching(/hibernates/) as string,
      });
    });
  });
});
