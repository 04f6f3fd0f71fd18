/** A storm of incidents as one page that grows and ends with the last of them. Pure. */
import { utf8Bytes } from "../../src/archetypes/http-exchange.ts";
import { safeText } from "../../src/core/safe-text.ts";
import type { DigestCount, DigestDelivery, Rendered } from "../../src/ports/connector.ts";
import { isTooOld, metaOf, SEVERITIES, SUMMARY_MAX, TEXT_MAX, TOO_OLD, type PageOptions } from "./render.ts";
import { iso } from "./values.ts";

/** The event of a digest; its dedup_key is the digest's id. @throws {Failure} poison RENDER_CONTRACT */
export function renderDigest(delivery: DigestDelivery, options: PageOptions & { readonly withinMs: number }): Rendered {
  const { key, digest } = delivery;
  const dedup = { dedup_key: digest.id };
  if (digest.open === 0) {
    const body = JSON.stringify({ event_action: "resolve", ...dedup });
    return { key, body, bytes: utf8Bytes(body), meta: metaOf("resolve", digest.id, delivery.memory) };
  }
  if (isTooOld(delivery, digest.lastTime, options)) return { key, body: "", bytes: 0, skip: TOO_OLD };
  const { incidents, open, level, levels, rules, agents } = digest;
  const more = incidents === 1 ? "1 more incident" : `${incidents} more incidents`;
  const summary = `[${level}] Storm: ${more} (${open} open) of ${named(rules, "rule")} and ${named(agents, "agent")}`;
  const body = JSON.stringify({
    event_action: "trigger",
    ...dedup,
    client: safeText(options.client, TEXT_MAX),
    payload: {
      summary: safeText(summary, SUMMARY_MAX),
      severity: SEVERITIES[level],
      source: "custodes",
      timestamp: iso(digest.lastTime),
      class: "digest",
      custom_details: {
        what: "Too many incidents opened at once to page for each of them. The ones folded here are in the other destinations and in `custodes incidents`; critical ones page by themselves.",
        incidents,
        open,
        by_level: lines(levels),
        by_rule: lines(rules),
        by_agent: lines(agents),
        first_opened: iso(digest.openedTime),
        newest_opened: iso(digest.newestTime),
        counted_within_minutes: options.withinMs / 60_000,
      },
    },
  });
  return { key, body, bytes: utf8Bytes(body), meta: metaOf("trigger", digest.id, delivery.memory) };
}

/** The name when there is one only, else the number of them. */
function named(counts: readonly DigestCount[], what: string): string {
  const [first] = counts;
  return counts.length === 1 && first !== undefined ? `${what} ${safeText(first.name, TEXT_MAX)}` : `${counts.length} ${what}s`;
}

function lines(counts: readonly DigestCount[]): readonly string[] {
  return counts.map(({ name, count }) => `${count} × ${safeText(name, TEXT_MAX)}`);
}
