import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { Ajv } from "ajv";
import { describe, expect, it } from "vitest";
import { incidentOfRow, incidentResource } from "../../connectors/sentinel/incident-resource.ts";
import { reactionOf } from "../contract/destination.ts";
import { testContext } from "../fixtures/context.ts";
import { hostileIncident, hugeIncident } from "../fixtures/hostile.ts";
import { delivery, incidentSubject, STORY_TIME } from "../fixtures/subjects.ts";
import { ID, incidentWorld, NAME, quiet } from "./sentinel-incident-world.ts";

const { destination, kept, revision, running, send } = incidentWorld();

const schemas = resolve(import.meta.dirname, "../../../shared/contracts/data/derived");
const schemasPresent = existsSync(schemas);
if (!schemasPresent && process.env["CI"] === "true") throw new Error("../shared/contracts/data is missing");

/** Whether a body is what Microsoft's swagger says. */
function fits(schema: string, body: unknown): boolean {
  const ajv = new Ajv({ strict: false, validateFormats: false });
  return ajv.validate(JSON.parse(readFileSync(resolve(schemas, `${schema}.schema.json`), "utf8")) as object, body);
}

describe("sentinel's incidents", () => {
  it("are created under their own id with what a person needs, and their row is sent after them", async () => {
    const outcomes = await send(revision({ revision: 1 }));
    expect(outcomes).toEqual([
      { status: "delivered", receipt: expect.stringMatching(/^incident b7a0a9f4-\S+ created; 204, request /) as string },
    ]);
    expect(kept().properties).toMatchObject({
      title: "invoice-bot: credential used from two networks, then bulk read and upload",
      severity: "High",
      status: "New",
      firstActivityTimeUtc: new Date(STORY_TIME).toISOString(),
      labels: [
        { labelName: "custodes" },
        { labelName: "custodes:revision:1" },
        { labelName: "custodes:level:critical" },
        { labelName: "custodes:agent:invoice-bot" },
      ],
    });
    expect([...kept().comments.values()]).toEqual([expect.stringContaining("Revision 1, new, critical")]);
    expect(running().received()).toHaveLength(1);
  });

  it("leave alerts to the table", async () => {
    const one = destination();
    expect(one.render(delivery(incidentSubject(), NAME)).group).not.toBe("alert");
    expect(destination({ incidents: "rule" }).render(delivery(incidentSubject(), NAME)).group).toBe("alert");
  });

  it("change nothing when a revision comes twice, not even by a second comment", async () => {
    await send(revision({ revision: 1 }));
    const { etag } = kept();
    expect((await send(revision({ revision: 1 })))[0]).toMatchObject({
      status: "delivered",
      receipt: expect.stringContaining("unchanged") as string,
    });
    expect(kept().etag).toBe(etag);
    expect(kept().comments.size).toBe(1);
  });

  it("never go back to an older revision", async () => {
    await send(revision({ revision: 3, title: "third" }));
    expect((await send(revision({ revision: 2, title: "second" })))[0]).toMatchObject({
      receipt: expect.stringContaining("a newer revision is there") as string,
    });
    expect(kept().properties["title"]).toBe("third");
    expect(kept().comments.size).toBe(1);
  });

  it("keep the analysts' owner, labels and state", async () => {
    await send(revision({ revision: 1 }));
    const owner = { userPrincipalName: "ann@soc.example" };
    const labels = [{ labelName: "custodes:revision:1" }, { labelName: "vip", labelType: "User" }];
    running().workspace.edit(ID, { owner, status: "Active", labels });
    await send(revision({ revision: 2, level: "medium" }));
    expect(kept().properties).toMatchObject({ owner, status: "Active", severity: "Medium" });
    expect(kept().properties["labels"]).toContainEqual({ labelName: "vip" });
    expect(kept().properties["labels"]).not.toContainEqual({ labelName: "custodes:revision:1" });
  });

  it("are given to the configured owner when they are new, and only then", async () => {
    const settings = { incidentOwner: "soc@acme.example" };
    await destination(settings).send([revision({ revision: 1 }, settings)], testContext().context);
    expect(kept().properties["owner"]).toEqual({ userPrincipalName: "soc@acme.example" });
    running().workspace.edit(ID, { owner: { userPrincipalName: "ann@soc.example" } });
    await destination(settings).send([revision({ revision: 2 }, settings)], testContext().context);
    expect(kept().properties["owner"]).toEqual({ userPrincipalName: "ann@soc.example" });
  });

  it("are closed as undetermined, reopened when it goes on, and stay closed where an analyst closed them", async () => {
    await send(revision({ revision: 1 }));
    await send(revision({ revision: 2, ...quiet }));
    expect(kept().properties).toMatchObject({
      status: "Closed",
      classification: "Undetermined",
      classificationComment: "Custodes: closed (quiet)",
    });
    await send(revision({ revision: 3 }));
    expect(kept().properties["status"]).toBe("Active");
    expect(kept().properties["classification"]).toBeUndefined();
    running().workspace.edit(ID, {
      status: "Closed",
      classification: "TruePositive",
      classificationReason: "SuspiciousActivity",
      classificationComment: "contained",
    });
    for (const changes of [{ revision: 4 }, { revision: 5, ...quiet }]) {
      await send(revision(changes));
      expect(kept().properties).toMatchObject({ status: "Closed", classification: "TruePositive", classificationComment: "contained" });
    }
    expect(kept().comments.size).toBe(5);
  });

  it("are merged again when somebody was faster, and left for later when somebody always is", async () => {
    await send(revision({ revision: 1 }));
    running().workspace.beforePut(() =>
      running().workspace.edit(ID, { status: "Active", owner: { userPrincipalName: "bob@soc.example" } }),
    );
    expect(await reactionOf(send(revision({ revision: 2 })))).toBeUndefined();
    expect(kept().properties).toMatchObject({ status: "Active", owner: { userPrincipalName: "bob@soc.example" } });

    // Documented beside 409 for an etag that is not the newest.
    running().workspace.fail({}, { status: 412 });
    expect(await reactionOf(send(revision({ revision: 3 })))).toBeUndefined();
    expect(kept().properties["labels"]).toContainEqual({ labelName: "custodes:revision:3" });

    const always = () => running().workspace.beforePut(() => (running().workspace.edit(ID, {}), always()));
    always();
    expect((await send(revision({ revision: 4 })))[0]).toMatchObject({ status: "failed", kind: "retryable", code: "INCIDENT_MOVED" });
  });

  it("get comments for their first eighty revisions and for the one that ends them", async () => {
    for (const [number, changes, count] of [
      [80, {}, 1],
      [81, {}, 1],
      [99, quiet, 2],
    ] as const) {
      await send(revision({ revision: number, ...changes }));
      expect(kept().comments.size).toBe(count);
    }
  });

  it("are within the limits whatever their texts say, and no text becomes a link or markup", async () => {
    for (const subject of [hostileIncident(), hugeIncident()]) {
      const item = destination().render(delivery(subject, NAME));
      expect(await reactionOf(send(item))).toBeUndefined();
    }
    const html = revision({ title: "<img src=x onerror=alert(1)> [click](https://evil.example) **x**", revision: 9 });
    await send(html);
    const comment = [...kept().comments.values()].at(-1)!;
    expect(comment).toContain(String.raw`&lt;img src=x onerror=alert\(1\)&gt; \[click\]\(https://evil.example\) \*\*x\*\*`);
    expect(comment).not.toContain("<img");
  });

  it.skipIf(!schemasPresent)("are what Microsoft's swagger says", () => {
    for (const changes of [{}, quiet]) {
      const ours = incidentOfRow(revision(changes).body)!;
      const body = incidentResource(ours, undefined, "soc@acme.example");
      expect(fits("sentinel-incident", body)).toBe(true);
      expect(fits("sentinel-incident", { ...body, properties: { ...(body["properties"] as object), severity: "Critical" } })).toBe(false);
      expect(fits("sentinel-incident-comment", { properties: { message: ours.comment!.message } })).toBe(true);
    }
  });
});
