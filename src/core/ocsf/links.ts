/** Identity facts of a record under `unmapped`: OCSF has no place for them, and an event that is read back needs them. */
import { linkText, LINKS_MAX, parseLink } from "../identity/links.ts";
import { asObject } from "../record.ts";
import { visible, type Tree } from "./place.ts";

/** Their name under `unmapped`. */
export const LINKS_FIELD = "identity_links";

/** The links of an event as objects of their parts; undefined when it has none. An event that was read back may hold anything. */
export function linkTrees(links: unknown): Tree[] | undefined {
  if (!Array.isArray(links)) return undefined;
  const parsed = links.map((text) => (typeof text === "string" ? parseLink(text) : undefined)).filter((link) => link !== undefined);
  if (parsed.length === 0) return undefined;
  return parsed.map(({ from, to, ...rest }) => ({ from: visible(from), to: visible(to), ...rest }));
}

/** The links that such objects say; undefined when they say none. What is no link is left out. */
export function linksFrom(value: unknown): readonly string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const links: string[] = [];
  for (const item of value.slice(0, LINKS_MAX)) {
    const { from, to, since, until, ends } = asObject(item) ?? {};
    const text = [from, to, since ?? "", until ?? "", ends === true ? "ends" : ""].join("\t");
    const link = parseLink(text);
    if (link !== undefined) links.push(linkText(link));
  }
  return links.length === 0 ? undefined : links;
}
