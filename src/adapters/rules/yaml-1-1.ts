/**
 * Plain scalars that YAML 1.1 (https://yaml.org/type/) reads as something else than YAML 1.2's core
 * schema does.
 */
const DIFFERENT: readonly (readonly [pattern: RegExp, what: string])[] = [
  [/^(?:y|Y|yes|Yes|YES|on|On|ON)$/, "the boolean true"],
  [/^(?:n|N|no|No|NO|off|Off|OFF)$/, "the boolean false"],
  [/^[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$/, "a number in base 60"],
  [/^[-+]?0[0-7_]+$/, "a number in base 8"],
  [/^[-+]?0b[01_]+$/, "a number in base 2"],
  [/^[-+]?0o[0-7]+$/, "a text"],
  [/^[-+]?0x[0-9a-fA-F_]*_[0-9a-fA-F_]*$/, "a number in base 16"],
  [/^[-+]0x[0-9a-fA-F]+$/, "a number in base 16"],
  [/^[-+]?[1-9][0-9]*_[0-9_]*$/, "a number with separators"],
  [/^[-+]?(?=[^_]*_)(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+][0-9]+)?$/, "a number with separators"],
  // Its floats have a point and, with an exponent, a sign before that.
  [/^[-+]?[0-9]+[eE][-+]?[0-9]+$/, "a text"],
  [/^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)[eE][0-9]+$/, "a text"],
  [/^[-+]?0[0-9]*[89][0-9]*$/, "a text"],
  [/^[-+]?0[0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*$/, "a number in base 60"],
  [/^\d{4}-\d\d-\d\d$/, "a date"],
  [/^\d{4}-\d\d?-\d\d?(?:[Tt]|[ \t]+)\d\d?:\d\d:\d\d(?:\.\d*)?(?:[ \t]*(?:Z|[-+]\d\d?(?::\d\d)?))?$/, "a time"],
  [/^=$/, "a default value"],
];

/** What YAML 1.1 makes of a plain scalar, in words; undefined when it is the same. */
export function differsInYaml11(source: string): string | undefined {
  return DIFFERENT.find(([pattern]) => pattern.test(source))?.[1];
}
