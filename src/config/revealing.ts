/** Values that a configuration gives by reference although they are no secrets, such as an address. */
import { z } from "zod";
import { isSecret } from "./secrets.ts";

/** Parses; where a plain text was expected but a reference given (say, a URL), the referenced value is used. */
export function parseRevealing<T extends z.ZodType>(schema: T, value: unknown): z.ZodSafeParseResult<z.output<T>> {
  const first = schema.safeParse(value);
  if (first.success) return first;
  const unreadable = new Map<string, string>();
  let revealed = value;
  for (const { path } of first.error.issues) {
    revealed = revealAt(revealed, path, (reason) => unreadable.set(pathText(path), reason));
  }
  if (revealed === value && unreadable.size === 0) return first;
  const second = schema.safeParse(revealed);
  if (second.success) return second;
  // That the reference leads nowhere says more than that a reference is no text.
  const issues = second.error.issues.map((issue) => ({ ...issue, message: unreadable.get(pathText(issue.path)) ?? issue.message }));
  return { success: false, error: new z.ZodError(issues) as z.ZodError<z.output<T>> };
}

function pathText(path: readonly PropertyKey[]): string {
  return path.map(String).join("\n");
}

function revealAt(value: unknown, path: readonly PropertyKey[], failed: (reason: string) => void): unknown {
  const [key, ...rest] = path;
  if (isSecret(value) && key === undefined) {
    try {
      return value.reveal();
    } catch (error) {
      failed(error instanceof Error ? error.message : String(error));
      return value;
    }
  }
  if (key === undefined || typeof value !== "object" || value === null || isSecret(value)) return value;
  const child = (value as Record<PropertyKey, unknown>)[key];
  const changed = revealAt(child, rest, failed);
  if (changed === child) return value;
  return Array.isArray(value) ? value.map((item, index) => (index === key ? changed : item)) : { ...value, [key]: changed };
}
