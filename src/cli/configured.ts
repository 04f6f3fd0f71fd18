import type { Connector } from "../ports/connector.ts";
import { commandConfig } from "./config.ts";

/**
 * The connectors, and with a configuration file also each of its sources under its own name (`http/agent-cloud`), which
 * reads and maps records as configured.
 * @throws {CommandError} config, after all problems were printed
 */
export function withConfigured(connectors: readonly Connector[], path: string | undefined): readonly Connector[] {
  if (path === undefined) return connectors;
  const configured = commandConfig(path).sources.map(({ id, connector, options }): Connector => {
    const { format, normalize } = connector;
    return {
      ...connector,
      id,
      ...(format === undefined ? {} : { format: () => format(options) }),
      ...(normalize === undefined ? {} : { normalize: () => normalize(options) }),
    };
  });
  return [...connectors, ...configured];
}
