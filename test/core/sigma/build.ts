import { parseRuleFile } from "../../../src/adapters/rules/yaml.ts";
import { regexEngine } from "../../../src/adapters/rules/re2.ts";
import { compileRules } from "../../../src/core/sigma/compile.ts";
import { plainReader, type PlainEvent } from "../../../src/core/sigma/plain-reader.ts";
import type { Detection, RuleSet } from "../../../src/core/sigma/rules.ts";

const READER = plainReader();

/** Compiles the YAML text of one file for plain events. */
export function compilePlain(text: string, placeholders: Readonly<Record<string, readonly string[]>> = {}): RuleSet<PlainEvent> {
  return compileRules(parseRuleFile("rules.yml", text), {
    reader: READER,
    regex: regexEngine,
    logsource: false,
    outlines: true,
    placeholders: new Map(Object.entries(placeholders)),
  });
}

/** A detection rule around a detection section, given as indented YAML. */
export function ruleText(detection: string, extra = ""): string {
  const body = detection.trim().includes("condition:") ? detection : `${detection}\n  condition: selection`;
  return `title: Test\nid: test\nlogsource: {category: any}\n${extra}detection:\n${body}\n`;
}

/** The one detection of a text that must load. */
export function onlyDetection(text: string, placeholders: Readonly<Record<string, readonly string[]>> = {}): Detection<PlainEvent> {
  const { detections, rejected } = compilePlain(text, placeholders);
  if (rejected.length > 0 || detections.length !== 1) throw new Error(`not one loaded detection: ${JSON.stringify(rejected)}`);
  return detections[0]!;
}

/** Why a text is rejected: one reason per rejected document. */
export function reasons(text: string): readonly string[] {
  return compilePlain(text).rejected.map((rejected) => `${rejected.line}: ${rejected.reason}`);
}

/** A plain event around a value. */
export function plain(value: object): PlainEvent {
  return { uid: "u", time: 0, value: value as PlainEvent["value"] };
}

/** Whether a selection, written as YAML flow (`{field: value}` or a list), matches a JSON object. */
export function selects(selection: string, value: object, placeholders: Readonly<Record<string, readonly string[]>> = {}): boolean {
  return onlyDetection(ruleText(`  selection: ${selection}`), placeholders).matches(plain(value));
}

/** Why a selection is rejected. */
export function selectionReason(selection: string): string {
  return reasons(ruleText(`  selection: ${selection}`)).join("\n");
}
