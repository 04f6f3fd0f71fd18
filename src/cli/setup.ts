/** What a team installs at its side of a destination: as files, or over the destination's own API. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Failure } from "../core/errors.ts";
import { safeText } from "../core/safe-text.ts";
import type { Config } from "../config/config.ts";
import { secretReference } from "../config/secrets.ts";
import { readSecrets } from "../secrets.ts";
import type { Connector, Setup } from "../ports/connector.ts";
import type { Context } from "../ports/context.ts";
import type { Network } from "../ports/network.ts";
import { CommandError, EXIT, note } from "./output.ts";

/** Options of `custodes setup`. */
export interface SetupOptions {
  /** A connector, as `splunk`, or a configured destination, as `splunk/soc`. */
  readonly name: string;
  readonly config: Config | undefined;
  /** Directory for the files. */
  readonly out?: string | undefined;
  readonly apply: boolean;
  /** Reference to the installer's credential. */
  readonly credential?: string | undefined;
}

/** Prints, writes or installs a destination's setup. @throws {CommandError} */
export async function setupCommand(
  options: SetupOptions,
  connectors: readonly Connector[],
  contextOf: (network?: Network) => Context,
): Promise<number> {
  const setup = setupOf(options, connectors);
  if (options.out !== undefined) writeFiles(setup, options.out);
  else if (!options.apply) printSetup(options.name, setup);
  if (!options.apply) return EXIT.good;
  if (options.config !== undefined) await readSecrets(options.config);
  const network = options.config?.destinations.find(({ id }) => id === options.name)?.network;
  return applySteps(setup, options, contextOf(network));
}

function setupOf({ name, config, apply }: SetupOptions, connectors: readonly Connector[]): Setup {
  const configured = config?.destinations.find(({ id }) => id === name);
  if (configured === undefined && (name.includes("/") || apply)) {
    const known = (config?.destinations ?? []).map(({ id }) => id).join(", ");
    throw new CommandError(`there is no destination "${name}" in the configuration; it has ${known === "" ? "none" : known}`, EXIT.usage);
  }
  const connector = configured?.connector ?? connectors.find(({ id }) => id === name);
  const setup = connector?.setup?.(configured?.options);
  if (setup === undefined) {
    const known = connectors.filter((one) => one.setup !== undefined).map(({ id }) => id);
    throw new CommandError(`"${name}" has nothing to install; setups exist for ${known.join(", ")}`, EXIT.usage);
  }
  return setup;
}

function writeFiles({ files, privileges }: Setup, directory: string): void {
  for (const { path, text } of files) {
    // A path comes from the connector, which may have made it of a configured name.
    if (path.startsWith("/") || path.split("/").some((part) => part === "" || part === "." || part === ".."))
      throw new CommandError(`the setup names the file ${safeText(path, 200)}, which would lie outside ${directory}`, EXIT.no);
    const file = join(directory, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    console.log(file);
  }
  note(`${files.length} files; the service's own credential needs: ${privileges.service.join("; ")}`);
}

function printSetup(name: string, { files, steps, privileges }: Setup): void {
  console.log(`files (custodes setup ${name} --out DIR):`);
  for (const { path, text } of files) console.log(`  ${path} (${text.length} characters)`);
  if (steps.length > 0) {
    console.log("steps (custodes setup NAME -c FILE --apply --credential '${env:NAME}'):");
    for (const step of steps) console.log(`  ${step.name}`);
  }
  console.log("least privileges of the service's credential:");
  for (const one of privileges.service) console.log(`  ${one}`);
  if (privileges.installer.length > 0) console.log("least privileges of the installer's credential, needed once:");
  for (const one of privileges.installer) console.log(`  ${one}`);
}

async function applySteps({ steps, privileges }: Setup, options: SetupOptions, context: Context): Promise<number> {
  if (steps.length === 0) throw new CommandError(`"${options.name}" is installed from files alone: use --out DIR`, EXIT.usage);
  const credential = options.credential === undefined ? undefined : secretReference(options.credential, process.env);
  if (credential === undefined)
    throw new CommandError(
      "--apply needs the installer's credential as a reference: --credential '${env:NAME}' or '${file:/path}'",
      EXIT.usage,
    );
  for (const step of steps) {
    try {
      console.log(`${(await step.apply(context, credential)).padEnd(9)} ${step.name}`);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      console.log(`FAIL      ${step.name}: ${error.code}: ${error.message}`);
      note(`what is before it is installed; run it again once this is repaired. The installer needs: ${privileges.installer.join("; ")}`);
      return EXIT.no;
    }
  }
  return EXIT.good;
}
