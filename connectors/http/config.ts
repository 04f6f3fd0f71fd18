import { z } from "zod";
import { insecureUrl } from "../../src/archetypes/http-pages.ts";
import { duration, secret } from "../../src/archetypes/settings.ts";
import { CATEGORIES } from "../../src/core/event.ts";
import { MAPPED_FIELDS } from "./fields.ts";

const safeUrl = z.string().superRefine((text, context) => {
  const problem = insecureUrl(text);
  if (problem !== undefined) context.addIssue({ code: "custom", message: `not a usable address: ${problem}` });
});
const headerName = z.string().regex(/^[A-Za-z0-9-]{1,64}$/, "letters, digits and dashes");
const path = z.string().max(200).describe("Dotted path, e.g. data.items");
const parameter = z.string().min(1).max(64);

const auth = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("none") }),
  z.strictObject({ type: z.literal("bearer"), token: secret }),
  z.strictObject({ type: z.literal("basic"), username: z.string(), password: secret }),
  z.strictObject({ type: z.literal("header"), name: headerName, value: secret }),
  z.strictObject({
    type: z.literal("oauth2"),
    tokenUrl: safeUrl.describe("Token endpoint of the client credentials grant"),
    clientId: z.string().min(1),
    clientSecret: secret,
    scope: z.string().optional(),
    audience: z.string().optional(),
    send: z.enum(["header", "body"]).default("header").describe("Where the client's id and secret travel"),
  }),
]);

const paging = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("none") }),
  z.strictObject({
    type: z.literal("cursor"),
    param: parameter.describe("Query parameter that takes the cursor"),
    path: path.describe("Where the answer has the next cursor"),
  }),
  z.strictObject({
    type: z.literal("next_link"),
    path: path.optional().describe("Where the answer has the next page's URL. Default: the Link header, rel=next"),
  }),
  z.strictObject({
    type: z.literal("page"),
    param: parameter.default("page"),
    first: z.int().min(0).max(1).default(1),
    sizeParam: parameter.optional(),
    size: z.int().min(1).max(10_000).optional().describe("Records of a full page: a shorter one is the last"),
  }),
]);

const window = z
  .strictObject({
    fromParam: parameter,
    toParam: parameter.optional(),
    format: z.enum(["rfc3339", "epoch_s", "epoch_ms"]).default("rfc3339"),
    backfill: duration.default(86_400_000).describe("How far back the first pull reaches"),
    overlap: duration
      .default(300_000)
      .describe("How far each window reaches back into the one before, for records that become visible late"),
    max: duration.default(3_600_000).describe("Longest window"),
    recheck: duration
      .default(3_600_000)
      .describe("Everything is read once more, this long after: finds what became visible late or was left out. 0s: never"),
    retention: duration.optional().describe("How long the vendor keeps records: what an outage lets pass is a gap then"),
  })
  .refine(({ overlap, max }) => overlap < max, "overlap must be shorter than max");

const check = z
  .strictObject({
    total: path.optional().describe("Where an answer has the number of all records of the window; needs window"),
    truncated: path.optional().describe("Where an answer says that it is not whole; needs window"),
    sequence: path.optional().describe("Where a record has its consecutive number; needs paging without window"),
  })
  .describe("What the vendor says from which a missing record can be told");

const constant = z.union([z.string(), z.number(), z.boolean(), z.array(z.string())]);
const field = z.union([
  path,
  z.strictObject({
    path,
    values: z.record(z.string(), constant).describe("The event's value for each of the record's"),
    otherwise: constant.optional().describe("For a value that is not listed. Default: the field stays unset"),
  }),
]);

/** Configuration of one generic pull. */
export const config = z
  .strictObject({
    url: safeUrl.describe("https address that is asked; http only to this machine. Links to another host are refused"),
    method: z.enum(["GET", "POST"]).default("GET"),
    headers: z.record(headerName, z.union([z.string(), secret])).default({}),
    query: z.record(z.string(), z.union([z.string(), secret])).default({}),
    body: z.record(z.string(), z.unknown()).optional().describe("JSON body of a POST"),
    auth: auth.default({ type: "none" }),
    records: path.default("").describe("Where the answer has its records; empty: the answer is the list"),
    emptyWhenMissing: z.boolean().default(false).describe("The answer leaves the list out when it is empty"),
    paging: paging.default({ type: "none" }),
    check: check.optional(),
    window: window.optional().describe("Ask for time windows, paged within. Without it paging goes on where it ended"),
    lag: duration.default(60_000).describe("Records become visible this late at most: nothing newer is taken as complete"),
    map: z.strictObject({
      category: z.enum(CATEGORIES),
      classUid: z.int().optional().describe("OCSF class. Default: the usual one of the category"),
      vendor: z.string().min(1),
      product: z.string().min(1),
      time: path.describe("Where a record has its time: RFC 3339, or epoch seconds or milliseconds"),
      uid: z.array(path).max(4).default([]).describe("What identifies a record. Default: its content"),
      fields: z.partialRecord(z.enum(MAPPED_FIELDS), field).default({}).describe("Event field <- path in the record"),
      constants: z.partialRecord(z.enum(MAPPED_FIELDS), constant).default({}),
    }),
  })
  .refine(({ method, body }) => body === undefined || method === "POST", "a body needs method: POST")
  .refine(({ check: given, window: span }) => span !== undefined || (given?.total ?? given?.truncated) === undefined, {
    path: ["check"],
    message: "total and truncated need a window, whose records they count",
  })
  .refine(({ check: given, window: span }) => span === undefined || given?.sequence === undefined, {
    path: ["check", "sequence"],
    message: "needs paging without a window: a window may leave out numbers rightly",
  });

/** Validated configuration; durations in milliseconds. */
export type Config = z.output<typeof config>;
