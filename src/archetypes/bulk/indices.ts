/** Steps for what templates do not reach: indices and data streams that exist already, or that nobody may create by writing. */
import { asObject, type Json } from "../../core/record.ts";
import type { Secret } from "../../ports/context.ts";
import type { SetupStep } from "../../ports/connector.ts";
import { ecsMappings, ownMappings, type Dialect } from "../ecs/fields.ts";
import { includes, jsonOf, type Ask, type Asks } from "./install.ts";

type Done = "created" | "changed" | "unchanged";

/**
 * Creates the plain index, or adds the fields that an older one lacks. `name` may be a write alias. `withMappings` where no
 * template gives the index its types.
 */
export function indexStep(name: string, dialect: Dialect, asks: Asks, { withMappings = false } = {}): SetupStep {
  const step = `index ${name}`;
  return {
    name: step,
    apply: async (context, credential) => {
      const ask = asks(context, credential);
      const present = await ask("GET", `/${name}/_mapping`);
      if (present.status === 404) {
        const body = withMappings ? { mappings: mappingsOf(dialect, false) } : undefined;
        jsonOf(await ask("PUT", `/${name}`, body), step, credential);
        return "created";
      }
      return await mapFields(name, step, jsonOf(present, step, credential), mappingsOf(dialect, false), ask, credential);
    },
  };
}

/** Creates the data stream by its template, or adds the fields that an older one lacks; then `also` does what is left. */
export function streamStep(
  name: string,
  dialect: Dialect,
  asks: Asks,
  also: (stream: Json, ask: Ask, credential: Secret) => Promise<boolean> = () => Promise.resolve(false),
): SetupStep {
  const step = `data stream ${name}`;
  return {
    name: step,
    apply: async (context, credential) => {
      const ask = asks(context, credential);
      const present = await ask("GET", `/_data_stream/${name}`);
      if (present.status === 404) {
        jsonOf(await ask("PUT", `/_data_stream/${name}`), step, credential);
        return "created";
      }
      const streams = jsonOf(present, step, credential)["data_streams"];
      const mapping = jsonOf(await ask("GET", `/${name}/_mapping`), step, credential);
      const mapped = await mapFields(name, step, mapping, mappingsOf(dialect, true), ask, credential);
      const changed = await also(asObject(Array.isArray(streams) ? streams[0] : undefined) ?? {}, ask, credential);
      return changed ? "changed" : mapped;
    },
  };
}

/** Gives the index an alias beside its name; templates do so only for indices that are created later. */
export function aliasStep(index: string, alias: string, asks: Asks): SetupStep {
  const step = `alias ${alias}`;
  return {
    name: step,
    apply: async (context, credential) => {
      const ask = asks(context, credential);
      const present = await ask("GET", `/${index}/_alias/${alias}`);
      if (present.status !== 404) {
        jsonOf(present, step, credential);
        return "unchanged";
      }
      jsonOf(await ask("PUT", `/${index}/_alias/${alias}`), step, credential);
      return "created";
    },
  };
}

function mappingsOf(dialect: Dialect, stream: boolean): Json {
  const ecs = ecsMappings(dialect, stream);
  return { ...ecs, properties: { ...(ecs["properties"] as Json), ...(ownMappings(dialect)["properties"] as Json) } };
}

async function mapFields(name: string, step: string, present: Json, wanted: Json, ask: Ask, credential: Secret): Promise<Done> {
  // One entry per index behind the name, whatever that is called.
  const indices = Object.values(present).map((index) => asObject(index)?.["mappings"]);
  if (indices.length > 0 && indices.every((mappings) => includes(mappings, wanted))) return "unchanged";
  jsonOf(await ask("PUT", `/${name}/_mapping`, wanted), step, credential);
  return "changed";
}
