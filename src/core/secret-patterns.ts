/**
 * What a secret in a text looks like: the one table of patterns, for every place that looks into output text.
 * Matchers read a text once from left to right, whatever it says. The text itself never goes anywhere from here.
 */

/** Raised whenever a pattern is added or changes what it matches; findings of different versions may differ. */
export const SECRET_PATTERNS_VERSION = 1;

/** One kind of secret. */
export interface SecretPattern {
  /** The finding's signal. */
  readonly name: string;
  /** Where its form is documented. */
  readonly source: string;
  /** Whether the text holds one. Linear in the text's length. */
  readonly found: (text: string) => boolean;
}

const [DIGIT, UPPER, LOWER] = [1, 2, 4];
const ALNUM = DIGIT | UPPER | LOWER;

/** Class bits of each ASCII character, so that an alphabet is one test. */
const CLASSES: readonly number[] = Array.from({ length: 128 }, (_, code) => {
  if (code >= 48 && code <= 57) return DIGIT;
  if (code >= 65 && code <= 90) return UPPER;
  return code >= 97 && code <= 122 ? LOWER : 0;
});

/** Which characters may follow. */
type Alphabet = (code: number) => boolean;

function alphabet(classes: number, others: string): Alphabet {
  return (code) => code < 128 && ((CLASSES[code]! & classes) !== 0 || others.includes(String.fromCharCode(code)));
}

function runEnd(text: string, from: number, allowed: Alphabet): number {
  let end = from;
  while (end < text.length && allowed(text.charCodeAt(end))) end++;
  return end;
}

/** A prefix and at least `min` characters of an alphabet. A failed run is shorter than `min`, so nothing is read often. */
function token(prefixes: readonly string[], allowed: Alphabet, min: number): (text: string) => boolean {
  return (text) => {
    for (const prefix of prefixes) {
      for (let at = text.indexOf(prefix); at !== -1; at = text.indexOf(prefix, at + 1)) {
        const start = at + prefix.length;
        let length = 0;
        while (length < min && start + length < text.length && allowed(text.charCodeAt(start + length))) length++;
        if (length === min) return true;
      }
    }
    return false;
  };
}

const JWT_PART = alphabet(ALNUM, "_=-");
const JWT_SIGNATURE = alphabet(ALNUM, "_.+/=-");

/** Three parts with points between, the first being base64 of `{"`. */
function hasJwt(text: string): boolean {
  let at = text.indexOf("eyJ");
  while (at !== -1) {
    const first = runEnd(text, at + 3, JWT_PART);
    // Every other start inside a run ends where it ends, so the search goes on behind it.
    if (first > at + 3 && text[first] === ".") {
      const second = runEnd(text, first + 1, JWT_PART);
      const third = second + 1;
      if (second > first + 1 && text[second] === "." && third < text.length && JWT_SIGNATURE(text.charCodeAt(third))) return true;
    }
    at = text.indexOf("eyJ", first);
  }
  return false;
}

const PEM_HEADS = ["", "RSA ", "EC ", "DSA ", "OPENSSH ", "ENCRYPTED "].map((kind) => `-----BEGIN ${kind}PRIVATE KEY-----`);

/** The first five are the seed product's own; the names of those are kept, so that its rules keep working. */
export const SECRET_PATTERNS: readonly SecretPattern[] = [
  {
    name: "openai_api_key",
    source: "https://platform.openai.com/docs/api-reference/authentication (keys before projects: sk- and letters)",
    found: token(["sk-"], alphabet(ALNUM, ""), 20),
  },
  {
    name: "anthropic_api_key",
    source: "https://docs.anthropic.com/en/api/overview (sk-ant-api03-, sk-ant-admin01-)",
    found: token(["sk-ant-"], alphabet(ALNUM, "_-"), 20),
  },
  {
    name: "aws_access_key",
    source: "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html (AKIA)",
    found: token(["AKIA"], alphabet(DIGIT | UPPER, ""), 16),
  },
  { name: "jwt", source: "https://datatracker.ietf.org/doc/html/rfc7519", found: hasJwt },
  {
    name: "private_key",
    source: "https://datatracker.ietf.org/doc/html/rfc7468",
    found: (text) => text.includes("-----BEGIN ") && PEM_HEADS.some((head) => text.includes(head)),
  },
  {
    name: "openai_project_key",
    source: "https://platform.openai.com/docs/api-reference/project-api-keys (sk-proj-, sk-svcacct-, sk-admin-)",
    found: token(["sk-proj-", "sk-svcacct-", "sk-admin-"], alphabet(ALNUM, "_-"), 20),
  },
  {
    name: "aws_session_key",
    source: "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html (ASIA)",
    found: token(["ASIA"], alphabet(DIGIT | UPPER, ""), 16),
  },
  {
    name: "bedrock_api_key",
    source: "https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys.html (ABSK and base64)",
    found: token(["ABSK"], alphabet(ALNUM, "+/="), 40),
  },
  {
    name: "github_token",
    source: "https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github",
    found: token(["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], alphabet(ALNUM, ""), 36),
  },
  {
    name: "github_fine_grained_token",
    source: "https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github",
    found: token(["github_pat_"], alphabet(ALNUM, "_"), 22),
  },
  {
    name: "gitlab_token",
    source: "https://docs.gitlab.com/security/tokens/#token-prefixes (glpat-)",
    found: token(["glpat-"], alphabet(ALNUM, "_-"), 20),
  },
];

/** Names of the patterns that the text holds, in the table's order. */
export function secretsIn(text: string): readonly string[] {
  const names: string[] = [];
  for (const { name, found } of SECRET_PATTERNS) if (found(text)) names.push(name);
  return names;
}
