/** Imports saved objects and rules into Kibana unless they are there. */
import { includes, jsonOf, type Ask, type Asks } from "../../src/archetypes/bulk/install.ts";
import { connectorFailure, type Answer } from "../../src/archetypes/http-exchange.ts";
import { asObject, type Json } from "../../src/core/record.ts";
import { safeText } from "../../src/core/safe-text.ts";
import type { SetupStep } from "../../src/ports/connector.ts";
import type { Secret } from "../../src/ports/context.ts";
import { SETUP_MARK, type DetectionRule, type SavedObject } from "./kibana.ts";

/** Objects as Kibana's export files have them: one per line. */
export function ndjson(objects: readonly object[]): string {
  return `${objects.map((object) => JSON.stringify(object)).join("\n")}\n`;
}

/** One step for all saved objects: the dashboard cannot be imported without its data views. */
export function savedObjectsStep(objects: readonly SavedObject[], asks: Asks): SetupStep {
  const name = "Kibana data views and dashboard";
  return {
    name,
    apply: async (context, credential) => {
      const ask = asks(context, credential);
      const wanted = { objects: objects.map(({ id, type }) => ({ id, type })), excludeExportDetails: true, includeReferencesDeep: false };
      const answer = await ask("POST", "/api/saved_objects/_export", wanted);
      // 400 with the objects that could not be fetched: something of it is not there.
      const absent = answer.status === 400 || answer.status === 404;
      if (!absent && !isSuccess(answer)) jsonOf(answer, name, credential);
      if (!absent && objects.every((object) => isInstalled(object, lines(answer.text)))) return "unchanged";
      const imported = await upload(ask, "/api/saved_objects/_import?overwrite=true", ndjson(objects), name, credential);
      if (imported["success"] !== true) throw notImported(name, imported["errors"]);
      return absent ? "created" : "changed";
    },
  };
}

/** One step per rule. A rule that a team has enabled stays so. */
export function ruleStep(rule: DetectionRule, asks: Asks): SetupStep {
  const name = `detection rule ${String(rule["name"])}`;
  return {
    name,
    apply: async (context, credential) => {
      const ask = asks(context, credential);
      const answer = await ask("GET", `/api/detection_engine/rules?rule_id=${encodeURIComponent(rule.rule_id)}`);
      const present = answer.status === 404 ? undefined : jsonOf(answer, name, credential);
      const enabled = present?.["enabled"] === true;
      if (present !== undefined && includes(present, { ...rule, enabled })) return "unchanged";
      const path = "/api/detection_engine/rules/_import?overwrite=true";
      const imported = await upload(ask, path, ndjson([{ ...rule, enabled }]), name, credential);
      // 200 with `success: false` is how a refused rule is answered.
      if (imported["success"] !== true) throw notImported(name, imported["errors"]);
      return present === undefined ? "created" : "changed";
    },
  };
}

/** Whether Kibana has the object as this setup made it; what it rewrites by itself is not compared. */
function isInstalled({ id, type, attributes }: SavedObject, present: readonly Json[]): boolean {
  const found = asObject(present.find((object) => object["id"] === id && object["type"] === type)?.["attributes"]);
  if (found === undefined) return false;
  if (type === "index-pattern") return includes(found, { title: attributes["title"], timeFieldName: attributes["timeFieldName"] });
  return found["title"] === attributes["title"] && String(found["description"]).includes(SETUP_MARK);
}

function isSuccess({ status }: Answer): boolean {
  return status >= 200 && status < 300;
}

function lines(text: string): readonly Json[] {
  return text.split("\n").flatMap((line): Json[] => {
    try {
      const object = asObject(JSON.parse(line));
      return object === undefined ? [] : [object];
    } catch {
      // What cannot be read is not there, and so is imported anew.
      return [];
    }
  });
}

/** Nothing that we upload contains it: all of it is ours. */
const BOUNDARY = "custodes-setup-3b1f0c9e";

async function upload(ask: Ask, path: string, text: string, name: string, credential: Secret): Promise<Json> {
  const head = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="custodes.ndjson"\r\nContent-Type: application/ndjson\r\n\r\n`;
  const headers = { "content-type": `multipart/form-data; boundary=${BOUNDARY}` };
  return jsonOf(await ask("POST", path, `${head}${text}\r\n--${BOUNDARY}--\r\n`, headers), name, credential);
}

/** Errors that are named at most. */
const ERRORS_MAX = 5;

function notImported(name: string, errors: unknown): Error {
  const list: readonly unknown[] = Array.isArray(errors) ? errors : [];
  const texts = list.slice(0, ERRORS_MAX).map((item) => {
    const error = asObject(asObject(item)?.["error"]);
    const what = error?.["type"] ?? error?.["message"] ?? error?.["status_code"];
    return typeof what === "string" || typeof what === "number" ? safeText(String(what), 200) : "unknown";
  });
  return connectorFailure("permanent", "DESTINATION_CONFIG", `${name}: Kibana did not import it (${texts.join("; ") || "no reason"})`);
}
