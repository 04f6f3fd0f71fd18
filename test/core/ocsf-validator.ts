/** Validates OCSF objects against the compiled JSON Schemas that lie next to the checkout. */
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import type { OcsfVersion } from "../../src/core/ocsf.ts";

const DIRECTORY = resolve(import.meta.dirname, "../../../shared/reference/ocsf");

/** The schemas are reference material beside the repository: absent in a plain clone, required in CI. */
export const schemasPresent = existsSync(resolve(DIRECTORY, "ocsf-1.8.0.bundle.schema.json"));
if (!schemasPresent && process.env["CI"] === "true") throw new Error("../shared/reference/ocsf is missing");

const validators = new Map<OcsfVersion, ValidateFunction>();

/** Why the object is not valid in that version; empty when it is. `type_uid` is checked too, which the schema leaves open. */
export function ocsfErrors(object: object, version: OcsfVersion): string[] {
  // What a consumer gets is JSON: undefined members are gone and NaN is null there.
  const json = JSON.parse(JSON.stringify(object)) as Record<string, unknown>;
  const validate = validatorOf(version);
  const errors = validate(json)
    ? []
    : (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message} ${JSON.stringify(error.params)}`);
  const { class_uid: classUid, activity_id: activityId, type_uid: typeUid, category_uid: categoryUid } = json;
  if (typeUid !== Number(classUid) * 100 + Number(activityId)) errors.push("type_uid does not follow from class and activity");
  if (categoryUid !== Math.floor(Number(classUid) / 1000)) errors.push("category_uid does not follow from class_uid");
  return errors;
}

function validatorOf(version: OcsfVersion): ValidateFunction {
  let validate = validators.get(version);
  if (validate === undefined) {
    const schema = JSON.parse(readFileSync(resolve(DIRECTORY, `ocsf-${version}.bundle.schema.json`), "utf8")) as object;
    validate = new Ajv2020({ strict: false, allErrors: false, validateFormats: false }).compile(schema);
    validators.set(version, validate);
  }
  return validate;
}

/** The attributes that exist only with a profile, per class: name -> profiles. */
export function profileAttributes(classUid: number, version: OcsfVersion): ReadonlyMap<string, readonly string[]> {
  const facts = JSON.parse(readFileSync(resolve(DIRECTORY, version, "facts.json"), "utf8")) as {
    classes: Record<string, { class_uid: number; attributes: { name: string; profiles: string[] | null }[] }>;
  };
  const found = Object.values(facts.classes).find((one) => one.class_uid === classUid);
  return new Map((found?.attributes ?? []).filter((one) => one.profiles !== null).map((one) => [one.name, one.profiles!]));
}
