/** Dotted paths into JSON, e.g. `data.items` or `actor.id`; a number picks from a list, and the exact key wins over its parts. */
import { asObject } from "../../src/core/record.ts";

/** The value at the path; the empty path is the value itself. Undefined when there is nothing. */
export function valueAt(value: unknown, path: string): unknown {
  if (path === "") return value;
  let rest = path;
  let current = value;
  while (true) {
    if (Array.isArray(current)) {
      const dot = rest.indexOf(".");
      const index = dot === -1 ? rest : rest.slice(0, dot);
      if (!/^\d{1,6}$/.test(index)) return undefined;
      current = (current as readonly unknown[])[Number(index)];
      if (dot === -1) return current;
      rest = rest.slice(dot + 1);
      continue;
    }
    const object = asObject(current);
    if (object === undefined) return undefined;
    if (Object.hasOwn(object, rest)) return object[rest];
    const key = longestKey(object, rest);
    if (key === undefined) return undefined;
    current = object[key];
    rest = rest.slice(key.length + 1);
  }
}

/** The longest beginning of the path, up to one of its dots, that is a key: keys such as `gen_ai.agent` have dots. */
function longestKey(object: { readonly [key: string]: unknown }, path: string): string | undefined {
  for (let dot = path.lastIndexOf("."); dot > 0; dot = path.lastIndexOf(".", dot - 1)) {
    const key = path.slice(0, dot);
    if (Object.hasOwn(object, key)) return key;
  }
  return undefined;
}
