/** What Microsoft's own schema and data testers would complain about in a row of an ASIM table. */
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";

/** A row as it was sent. */
export type Row = Readonly<Record<string, unknown>>;

interface AsimField {
  readonly class: string;
  readonly type: string;
  readonly value?: string;
  readonly allowed_values?: readonly string[];
  readonly required_if?: readonly string[];
}

const asimFile = resolve(import.meta.dirname, "../../../shared/reference/asim/asim_schemas.json");
/** Whether the offline list is there. */
export const asimPresent = existsSync(asimFile);
if (!asimPresent && process.env["CI"] === "true") throw new Error("../shared/reference/asim is missing");

type Schemas = Readonly<Record<string, { readonly version: string; readonly fields: Readonly<Record<string, AsimField>> }>>;
const schemas = asimPresent ? (JSON.parse(readFileSync(asimFile, "utf8")) as Schemas) : {};

const USER_TYPES = ["Regular", "Machine", "Admin", "System", "Application", "Service Principal", "Service", "Anonymous", "Other"];
const APP_TYPES = ["Process", "Service", "Resource", "URL", "SaaS application", "CSP", "Other"];
/** Enumerations that the schema file leaves open (learn.microsoft.com/azure/sentinel/normalization-common-fields), by the end of the name. */
const ENUMS: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^EventSeverity$/, ["Informational", "Low", "Medium", "High"]],
  [/^EventResult$/, ["Success", "Partial", "Failure", "NA"]],
  [/DomainType$/, ["FQDN", "Windows"]],
  [/sernameType$/, ["UPN", "Windows", "DN", "Simple"]],
  [/UserType$/, USER_TYPES],
  [/AppType$/, APP_TYPES],
  [/FilePathType$/, ["Windows Local", "Windows Share", "Unix", "URL"]],
  [/^DvcAction$/, ["Allow", "Deny"]],
];
/** Columns that only a table has. */
const TABLE_ONLY = new Set(["TimeGenerated"]);
/** Demanded by their schemas, unknown to our events, and therefore empty: said so in the connector's README. */
const MAY_BE_EMPTY = /^(ActorUsername|ActingProcessId|TargetProcess(Id|Name|CommandLine)|TargetUsername|TargetFilePath|DnsQuery)$/;
/** An id or name and the type that must stand beside it. */
const TYPED = [
  "ActorUserId",
  "ActorUsername",
  "TargetUserId",
  "TargetUsername",
  "SrcUserId",
  "SrcUsername",
  "UserId",
  "Username",
  "ActingApp",
  "SrcApp",
  "TargetApp",
];

/** Unknown and mandatory columns, types, enumerations and conditions of a row of `schema`. */
export function asimErrors(row: Row, schema: string): string[] {
  const known = schemas[schema];
  if (known === undefined) return [`there is no schema ${schema}`];
  const errors: string[] = [];
  for (const [name, field] of Object.entries(known.fields)) {
    const value = row[name];
    if (value === undefined) {
      if (field.class.startsWith("Mandatory")) errors.push(`${name} is mandatory`);
      const source = /(?:the )?(\w+) (?:field )?is used/.exec(field.required_if?.[0] ?? "")?.[1];
      if (source !== undefined && row[source] !== undefined) errors.push(`${name} is required with ${source}`);
      continue;
    }
    if (field.class === "Alias") {
      errors.push(`${name} is an alias, which a table does not store`);
      continue;
    }
    if (field.value !== undefined && value !== field.value) errors.push(`${name} must be ${field.value}`);
    // Some values of the file carry their explanation in parentheses or after a full stop or colon.
    const listed = field.allowed_values?.map((text) => text.replace(/(?: \(|\.|: ).*/, ""));
    // The lists of devices' actions and of ids are open ("for example").
    const allowed = name.endsWith("IdType") ? undefined : (listed ?? ENUMS.find(([end]) => end.test(name))?.[1]);
    if (allowed !== undefined && !allowed.includes(value as string)) errors.push(`${name} must not be ${JSON.stringify(value)}`);
    if (!typeFits(name, field.type, value)) errors.push(`${name} must be of type ${field.type}, not ${JSON.stringify(value).slice(0, 80)}`);
  }
  for (const name of TYPED) {
    const filled = name.endsWith("App") ? (row[`${name}Id`] ?? row[`${name}Name`]) : row[name];
    const type = row[`${name}Type`];
    if ((filled === undefined || filled === "") !== (type === undefined)) errors.push(`${name}Type goes with ${name}`);
  }
  for (const name of Object.keys(row)) if (known.fields[name] === undefined && !TABLE_ONLY.has(name)) errors.push(`${name} is unknown`);
  return errors;
}

function typeFits(name: string, type: string, value: unknown): boolean {
  const lower = type.toLowerCase();
  if (value === "") return MAY_BE_EMPTY.test(name);
  if (lower.includes("level (integer)")) return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 100;
  if (/integer|^int$|^long$/.test(lower)) return Number.isInteger(value);
  if (lower === "double") return typeof value === "number";
  if (lower.startsWith("bool")) return typeof value === "boolean";
  if (lower === "dynamic") return typeof value === "object";
  if (lower.includes("date") || lower === "datetime") return typeof value === "string" && new Date(value).toISOString() === value;
  if (lower.startsWith("hostname")) return typeof value === "string" && (!value.includes(".") || /^[0-9.]+$/.test(value));
  if (lower.startsWith("url")) return typeof value === "string" && URL.canParse(value);
  if (lower === "ip address") return typeof value === "string" && /^[0-9a-f.:]+$/i.test(value);
  return typeof value === "string";
}
