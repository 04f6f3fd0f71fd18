/** Configured instances made ready to work. */
import type { DestinationConfig, SourceConfig } from "./config/config.ts";
import type { RunningSource } from "./pipeline/ingest.ts";
import type { RunningDestination } from "./pipeline/route.ts";
import type { Context } from "./ports/context.ts";

/** A source at work. */
export function runSource(source: SourceConfig, { http }: Context): RunningSource & { readonly every: string } {
  const { connector, options } = source;
  const normalize = connector.normalize?.(options);
  if (normalize === undefined) throw new Error(`connector ${connector.id} has no normalizer`);
  const pulled = connector.source?.(options);
  return {
    id: source.id,
    connector,
    source: pulled === undefined || pulled.idle === true ? undefined : { pull: (cursor, given) => pulled.pull(cursor, { ...given, http }) },
    receiver: connector.receiver?.(options),
    normalize,
    latenessMs: source.latenessMs,
    stallMs: source.stallMs,
    every: source.every,
  };
}

/** A destination at work. */
export function runDestination(destination: DestinationConfig, context: Context): RunningDestination {
  const made = destination.connector.destination?.(destination.options);
  if (made === undefined) throw new Error(`connector ${destination.connector.id} is no destination`);
  return {
    id: destination.id,
    connector: destination.connector,
    destination: made,
    when: destination.when,
    maxAttempts: destination.maxAttempts,
    concurrency: destination.concurrency,
    disableAfterMs: destination.disableAfterMs,
    context,
  };
}
