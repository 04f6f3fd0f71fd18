import { eventToOcsf } from "../core/ocsf.ts";
import { FUTURE_MAX_MS } from "../core/record.ts";
import { Failure } from "../core/errors.ts";
import type { Batch } from "../core/framing.ts";
import { sha256, systemClock } from "../adapters/system/system.ts";
import { normalizeRecords } from "../pipeline/normalize.ts";
import type { Connector, Located, NormalizeContext } from "../ports/connector.ts";
import { parseInputs } from "../backtest/inputs.ts";
import type { Fault } from "../backtest/run.ts";
import { endsFile } from "../backtest/stream.ts";
import { faultText } from "./faults.ts";
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
  const inputs = await parseInputs(options.in, options.connector, connectors, { stdin: process.stdin, keepStdin: false });
  const normalize = connectors.find((one) => one.id === options.connector)?.normalize?.();
  if (normalize === undefined) throw new CommandError(`"${options.connector}" is no source connector`, EXIT.usage);
  const source = options.connector.includes("/") ? options.connector : `${options.connector}/file`;
  const context: NormalizeContext = { source, received: systemClock.now() + FUTURE_MAX_MS, sha256 };
  const output = lineWriter(options.out);
  const count = { records: 0, events: 0, quarantined: 0 };
  const faults: Fault[] = [];
  for (const input of inputs) {
    let used = 0;
    const fault = ({ code, message }: { readonly code: string; readonly message: string }): void => {
      faults.push({ path: input.path, code, message, records: used });
    };
    try {
      for await (const batch of input.read()) {
        const made = normalizeRecords(locate(batch), normalize, context, undefined);
        const rejects = [...batch.rejects, ...made.rejects.map((reject) => ({ ...reject, line: Number(reject.position) }))];
        for (const { line, code, message } of rejects.sort((a, b) => a.line - b.line))
          note(JSON.stringify({ line, code, message, ...(inputs.length > 1 ? { file: batch.path } : {}) }));
        for (const reject of batch.rejects) if (endsFile(reject.code)) fault(reject);
        used += batch.records.length;
        count.records += batch.records.length + batch.rejects.length;
        count.events += made.events.length;
        count.quarantined += rejects.length;
        for (const event of made.events) {
          event.receivedTime = undefined;
          await output.write(JSON.stringify(eventToOcsf(event, { version: options.ocsf })));
        }
      }
    } catch (error) {
      if (!(error instanceof Failure) || !endsFile(error.code)) throw error;
      fault(error);
    }
  }
  await output.end();
  for (const one of faults) note(faultText(one));
  note(JSON.stringify(count));
  return faults.length === 0 ? EXIT.good : EXIT.no;
}

function locate({ records, lines }: Batch): Located[] {
  return records.map((record, index) => ({ record, position: String(lines[index] ?? 0) }));
}
