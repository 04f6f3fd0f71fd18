/** What regular expressions and wildcards cost, typical and hostile, in milliseconds per megabyte. Usage: node test/bench/regex.ts */
import { regexEngine } from "../../src/adapters/rules/re2.ts";
import { globTest } from "../../src/core/sigma/glob.ts";
import { parsePattern } from "../../src/core/sigma/pattern.ts";

const NONE = { i: false, m: false, s: false };
const SIZE = 1 << 20;
const RUNS = 5;

/** What gateway and audit logs look like: words, URLs, numbers, addresses. */
function typicalText(): string {
  const parts = [
    "GET /v1/customers/export?page=",
    " 10.20.1.",
    " user=mira.lund ",
    '{"tool":"shell","args":"ls -la"} ',
    "https://good.example/a/b ",
  ];
  let text = "";
  for (let index = 0; text.length < SIZE; index++) text += parts[index % parts.length]! + String((index * 7919) % 1000);
  return text.slice(0, SIZE);
}

const TYPICAL = [
  "(?i)ignore (all )?(previous|prior) instructions",
  "(?i)(union\\s+select|drop\\s+table|or 1=1)",
  "https?://[^/]+\\.(?:evil|bad)\\.com/.*\\?id=\\d+",
  "\\b\\d{1,3}(?:\\.\\d{1,3}){3}\\b:4444",
  "AKIA[0-9A-Z]{16}",
  "[A-Za-z0-9+/]{60,}={0,2}",
  "(?i)password\\s*[:=]\\s*\\S+",
  "\\.(exe|dll|ps1)$",
  "\\\\x[0-9a-f]{2}\\\\x[0-9a-f]{2}",
  "^/v1/(admin|internal)/.*[?&]debug=(1|true)",
];
const HOSTILE = ["(a+)+$", "(a|aa)+$", "^(.*a){20}$", "(a*)*b", ".*.*.*=.*", "(?:a|b)*a(?:a|b){12}c"];
const WILDCARDS = ["*a*a*a*a*b", "*a?a?a?a?b*", `*${"a?".repeat(100)}b*`, `*${"a".repeat(500)}b${"a".repeat(500)}*`];

function measure(name: string, search: (text: string) => boolean, text: string): void {
  const costs: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const start = performance.now();
    search(text);
    costs.push(((performance.now() - start) * SIZE) / text.length);
  }
  const [first = 0] = costs;
  console.log(
    `${first.toFixed(2).padStart(9)} ${costs
      .toSorted((a, b) => a - b)
      [RUNS >> 1]!.toFixed(2)
      .padStart(9)}  ${name.slice(0, 70)}`,
  );
}

console.log(`${"first".padStart(9)} ${"median".padStart(9)}  milliseconds per megabyte`);
const text = typicalText();
for (const pattern of TYPICAL) measure(pattern, regexEngine.compile(pattern, NONE), text);
const repeated = `${"a".repeat(SIZE - 1)}!`;
for (const pattern of HOSTILE) measure(`hostile ${pattern}`, regexEngine.compile(pattern, NONE), repeated);
for (const pattern of WILDCARDS) measure(`wildcard ${pattern}`, globTest(parsePattern(pattern)), repeated);
