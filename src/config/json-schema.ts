import { z } from "zod";
import type { Connector } from "../ports/connector.ts";
import { configSchema, destinationCommon, sourceCommon } from "./schema.ts";

/** JSON Schema (draft 2020-12) of the configuration file for editors: completion, documentation, errors while typing. */
export function configJsonSchema(connectors: readonly Connector[]): object {
  const root = toJson(configSchema) as { properties: Record<string, object> };
  const sources = connectors.filter((one) => one.normalize !== undefined && (one.source ?? one.receiver) !== undefined);
  const destinations = connectors.filter((one) => one.destination !== undefined);
  return {
    ...root,
    title: "Custodes configuration",
    properties: {
      ...root.properties,
      sources: instances(sources, sourceCommon, "Where records come from; keys are <connector>/<name>"),
      destinations: instances(destinations, destinationCommon, "Where alerts and incidents go; keys are <connector>/<name>"),
    },
  };
}

function instances(connectors: readonly Connector[], common: z.ZodObject, description: string): object {
  const patterns = connectors.map((connector) => {
    const own = toJson(connector.config) as { properties?: object; required?: string[] };
    const shared = toJson(common) as { properties: object };
    const schema = {
      type: ["object", "null"],
      description: connector.title,
      properties: { ...shared.properties, ...own.properties },
      ...(own.required === undefined ? {} : { required: own.required }),
      additionalProperties: false,
    };
    return [`^${connector.id}/[a-z0-9][a-z0-9._-]{0,40}$`, schema];
  });
  return { type: "object", description, patternProperties: Object.fromEntries(patterns), additionalProperties: false };
}

/** What the file holds before it is parsed; a secret is written as its reference. */
function toJson(schema: z.ZodType): object {
  const { $schema: _, ...json } = z.toJSONSchema(schema, {
    io: "input",
    unrepresentable: "any",
    override(context) {
      if (context.zodSchema._zod.def.type !== "custom") return;
      context.jsonSchema.type = "string";
      context.jsonSchema.pattern = String.raw`^\$\{(env|file|vault):.+\}$`;
    },
  });
  return json;
}
