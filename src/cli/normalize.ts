import { eventToOcsf } from "../core/ocsf.ts";
import { FUTURE_MAX_MS } from "../core/record.ts";
import { readFileRecords } from "../adapters/files/read-records.ts";
import { sha256, systemClock } from "../adapters/system/system.ts";
import { normalizeRecords } from "../pipeline/normalize.ts";
import type { Connector, NormalizeContext } from "../ports/connector.ts";
import { parseInputs } from "../backtest/inputs.ts";
import { withConfigured } from "./configured.ts";
import { CommandError, EXIT, lineWriter, note } from "./output.ts";

/** Options of `custodes normalize`. */
export interface NormalizeOptions {
  readonly connector: string;
  readonly in: readonly string[];
  readonly out?: string;
  /** Configuration file whose sources may be named as connectors. */
  readonly config?: string;
  readonly ocsf: "1.8.0" | "1.9.0";
}

/** Records -> OCSF events, one per line; bad records and counts to standard error. */
export async function normalizeCommand(options: NormalizeOptions, known: readonly Connector[]): Promise<number> {
  const connectors = withConfigured(known, options.config);
  const inputs = parseInputs(options.in, options.connector, connectors);
  const normalize = connectors.find((one) => one.id === options.connector)?.normalize?.();
  if (normalize === undefined) throw new CommandError(`"${options.connector}" is no source connector`, EXIT.usage);
  const source = options.connector.includes("/") ? options.connector : `${options.connector}/file`;
  const context: NormalizeContext = { source, received: systemClock.now() + FUTURE_MAX_MS, sha256 };
  const output = lineWriter(options.out);
  const count = { records: 0, events: 0, quarantined: 0 };
  for (const input of inputs) {
    for await (const batch of readFileRecords(input.path, input.format)) {
      const located = batch.records.map((record, index) => ({ record, position: String(batch.lines[index] ?? 0) }));
      const made = normalizeRecords(located, normalize, context, undefined);
      const rejects = [...batch.rejects, ...made.rejects.map((reject) => ({ ...reject, line: Number(reject.position) }))];
      for (const reject of rejects.sort((a, b) => a.line - b.line)) {
        note(
          JSON.stringify({
            line: reject.line,
            code: reject.code,
            message: reject.message,
            ...(inputs.length > 1 ? { file: batch.path } : {}),
          }),
        );
      }
      count.records += batch.records.length + batch.rejects.length;
      count.events += made.events.length;
      count.quarantined += rejects.length;
      for (const event of made.events) {
        event.receivedTime = undefined;
        await output.write(JSON.stringify(eventToOcsf(event, { version: options.ocsf })));
      }
    }
  }
  await output.end();
  note(JSON.stringify(count));
  return EXIT.good;
}
