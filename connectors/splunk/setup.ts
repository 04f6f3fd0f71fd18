import type { Setup } from "../../src/ports/connector.ts";
import type { Config } from "./config.ts";

/** The add-on TA-custodes. */
export function setup(_settings: Config | undefined): Setup {
  return { files: [], steps: [], privileges: { service: [], installer: [] } };
}
