import { DEPTH_MAX } from "../record.ts";
import { fold, type FoldMemo } from "./fold.ts";
import type { Position } from "./modifiers.ts";
import { indexOf } from "./search.ts";
import { scalarText, type Scalar, type ScalarTest } from "./scalar-test.ts";

/** A field that a rule reads, resolved once. */
export interface FieldSource<E> {
  readonly path: string;
  readonly read: (event: E) => unknown;
  /** Shared by all tests of the field, so that its text is folded once per value. */
  readonly memo: FoldMemo;
}

/** What one value of a key accepts: scalars, and whether null and missing. */
export interface ValueTest {
  readonly scalar: ScalarTest | undefined;
  readonly orNull: boolean;
}

/** Whether any element of the field satisfies the value. */
export function matchTest<E>(field: FieldSource<E>, value: ValueTest): (event: E) => boolean {
  const { read, memo } = field;
  const { orNull } = value;
  const scalar = value.scalar ?? never;
  return (event) => {
    const found = read(event);
    if (typeof found === "string" || typeof found === "number" || typeof found === "boolean") return scalar(found, memo);
    if (found === undefined || found === null) return orNull;
    return Array.isArray(found) && anyElement(found, scalar, orNull, memo, 0);
  };
}

/** As `matchTest` the other way round, and false when the field has no value that could differ. */
export function differTest<E>(field: FieldSource<E>, values: readonly ValueTest[]): (event: E) => boolean {
  const tests = values.map((value) => matchTest(field, value));
  const { read, memo } = field;
  return (event) => {
    const found = read(event);
    if (found === undefined || found === null) return false;
    if (typeof found === "object" && !(Array.isArray(found) && anyElement(found, always, false, memo, 0))) return false;
    for (const test of tests) if (!test(event)) return true;
    return false;
  };
}

/** Whether the field is there at all, whatever its value. */
export function existsTest<E>(field: FieldSource<E>, wanted: boolean): (event: E) => boolean {
  const { read } = field;
  return (event) => (read(event) !== undefined) === wanted;
}

/** How two fields are compared, on folded canonical texts. */
const RELATIONS: Readonly<Record<Position, (own: string, other: string) => boolean>> = {
  whole: (own, other) => own === other,
  contains: (own, other) => indexOf(own, other, 0) !== -1,
  startswith: (own, other) => own.startsWith(other),
  endswith: (own, other) => own.endsWith(other),
};

/**
 * Whether any element of the field relates to any of the other field, or, with `differ`, none does
 * and both have some.
 */
export function referenceTest<E>(field: FieldSource<E>, other: FieldSource<E>, position: Position, differ: boolean): (event: E) => boolean {
  const relates = RELATIONS[position];
  return (event) => {
    const others = foldedTexts(other.read(event));
    if (others.length === 0) return false;
    const own = foldedTexts(field.read(event));
    if (own.length === 0) return false;
    if (position === "whole" && own.length > 1 && others.length > 1) {
      const known = new Set(others);
      return own.some((text) => known.has(text)) !== differ;
    }
    return own.some((text) => others.some((reference) => relates(text, reference))) !== differ;
  };
}

function foldedTexts(value: unknown): readonly string[] {
  const texts: string[] = [];
  const collect: ScalarTest = (scalar) => {
    const text = scalarText(scalar);
    if (text !== undefined) texts.push(fold(text));
    return false;
  };
  if (Array.isArray(value)) anyElement(value, collect, false, UNUSED, 0);
  else if (isScalar(value)) collect(value, UNUSED);
  return texts;
}

const UNUSED: FoldMemo = { raw: "", folded: "" };
const never: ScalarTest = () => false;
const always: ScalarTest = () => true;

function isScalar(value: unknown): value is Scalar {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

/** Nested arrays are flattened, to the depth that records may have; maps match nothing. */
function anyElement(list: readonly unknown[], scalar: ScalarTest, orNull: boolean, memo: FoldMemo, depth: number): boolean {
  for (const element of list) {
    if (isScalar(element)) {
      if (scalar(element, memo)) return true;
    } else if (element === null) {
      if (orNull) return true;
    } else if (Array.isArray(element) && depth < DEPTH_MAX && anyElement(element, scalar, orNull, memo, depth + 1)) return true;
  }
  return false;
}
