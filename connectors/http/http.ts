import { Failure } from "../../src/core/errors.ts";
import { CATEGORIES } from "../../src/core/event.ts";
import { jsonLines } from "../../src/core/framing.ts";
import { defineConnector, type Check } from "../../src/ports/connector.ts";
import type { Context } from "../../src/ports/context.ts";
import { config, type Config } from "./config.ts";
import { httpNormalize } from "./normalize.ts";
import { httpSource } from "./pull.ts";

/** Any HTTP API that lists records as JSON: request, paging, time window and mapping are configuration. */
export default defineConnector<Config>({
  id: "http",
  title: "HTTP API (generic pull)",
  config,
  check,
  source: httpSource,
  format: () => jsonLines,
  normalize: httpNormalize,
  categories: CATEGORIES,
  lateness: 300_000,
  gaps: ["every field that the mapping does not name", "records that become visible later than the window's overlap"],
});

async function check(options: Config, context: Context): Promise<readonly Check[]> {
  const name = "request";
  try {
    const source = httpSource(options);
    const begin = await source.pull(null, context);
    // With windows the first page only says where to begin, and nothing was asked yet.
    const page = options.window === undefined ? begin : await source.pull(begin.next, context);
    const count = page.records.length + page.rejects.length;
    return [{ name, ok: true, message: `the first page has ${count} records` }];
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return [{ name, ok: false, message: `${error.code}: ${error.message}`, fix: fixOf(error) }];
  }
}

function fixOf(failure: Failure): string {
  switch (failure.code) {
    case "HTTP_DENIED":
      return "give the credential of `auth` the right to read these records";
    case "HTTP_UNREACHABLE":
    case "HTTP_TIMEOUT":
      return "check `url`, DNS and the way out to the server";
    case "HTTP_MALFORMED":
      return "check `records` and `paging` against an answer of the server";
    case "SECRET_MISSING":
      return "set the environment variable or file that the secret refers to";
    default:
      return "check `url`, `query`, `headers` and `paging` against the vendor's documentation";
  }
}
