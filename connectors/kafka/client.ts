/**
 * One producer per batch. The client counts the records of an idempotent producer in memory, shared by all requests, and does not count
 * those of a request that failed: a producer that went on after a failure, or had two requests at once, could number different records alike, and the
 * broker would drop the second as a repeat.
 */
import { compatibilityPartitioner, Producer, stringSerializers, type MessageToProduce } from "@platformatic/kafka";
import { connectorFailure } from "../../src/archetypes/http-exchange.ts";
import { Failure } from "../../src/core/errors.ts";
import type { Context } from "../../src/ports/context.ts";
import type { Config } from "./config.ts";
import { clientFailure, errorsIn, protocolFailure } from "./errors.ts";

/** A record on its way. */
export interface RecordToSend {
  readonly key: string;
  readonly value: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** What became of a record: where it lies, or why it does not. */
export type Placed = { readonly partition: number; readonly offset: bigint } | Failure;

/**
 * Attempts of one request within its producer, where the broker knows a repeat by its number: a connection that breaks between two brokers'
 * quarrels costs no duplicate. Beyond them the pipeline decides.
 */
const RETRIES = 2;
const RETRY_DELAY_MS = 100;

type Client = Producer<string, string, string, string>;

/** Writes records, all of them acknowledged by all replicas in sync, or says per record why not. @throws {Failure} when nothing could be sent */
export async function produce(records: readonly RecordToSend[], settings: Config, context: Context): Promise<readonly Placed[]> {
  return await withClient(settings, context, async (client) => {
    const partitions = await partitionsOf(client, settings.topic);
    const messages = records.map(({ key, value, headers }): MessageToProduce<string, string, string, string> => {
      // As Java's clients place it, so that others' records with the same key lie beside ours.
      const partition = compatibilityPartitioner(undefined as never, Buffer.from(key)) % partitions;
      return { topic: settings.topic, key, value, headers: { ...headers }, partition };
    });
    try {
      const { offsets = [] } = await client.send({ messages });
      return placed(messages, new Map(offsets.map((one) => [one.partition, one.offset])), undefined);
    } catch (error) {
      const { produced } = error as { readonly produced?: { readonly offsets?: readonly Offset[] } };
      const known = new Map<number, bigint | Failure>(produced?.offsets?.map((one) => [one.partition, one.offset]));
      for (const [partition, result] of partitionsIn(error)) known.set(partition, result);
      return placed(messages, known, clientFailure(error));
    }
  });
}

/** Number of partitions of the topic, for a check. @throws {Failure} */
export function lookUp(settings: Config, context: Context): Promise<number> {
  return withClient(settings, context, (client) => partitionsOf(client, settings.topic));
}

async function partitionsOf(client: Client, topic: string): Promise<number> {
  try {
    const count = (await client.metadata({ topics: [topic] })).topics.get(topic)?.partitionsCount;
    if (count !== undefined && count > 0) return count;
  } catch (error) {
    // The client's own words for a topic that the brokers do not list.
    if ((error as { readonly code?: unknown }).code !== "PLT_KFK_USER") throw error;
  }
  throw protocolFailure("UNKNOWN_TOPIC_OR_PARTITION");
}

interface Offset {
  readonly partition: number;
  readonly offset: bigint;
}

/** `known`: the first offset of this request in each partition, or why it took nothing. `failure`: what is true of all others. */
function placed(
  messages: readonly { readonly partition?: number }[],
  known: ReadonlyMap<number, bigint | Failure>,
  failure: Failure | undefined,
): readonly Placed[] {
  const counts = new Map<number, number>();
  return messages.map(({ partition = 0 }) => {
    const result = known.get(partition);
    const before = counts.get(partition) ?? 0;
    counts.set(partition, before + 1);
    if (typeof result === "bigint") return { partition, offset: result + BigInt(before) };
    return result ?? failure ?? connectorFailure("retryable", "HTTP_MALFORMED", "the brokers did not say what became of a partition");
  });
}

/** Results per partition of an answer with errors: the client gives the protocol's answer beside its own errors. */
function partitionsIn(error: unknown): ReadonlyMap<number, bigint | Failure> {
  const found = new Map<number, bigint | Failure>();
  for (const one of errorsIn(error)) {
    const { response } = one as { readonly response?: { readonly responses?: readonly Answered[] } };
    if (response?.responses === undefined) continue;
    const ids = new Map(errorsIn(one).map(({ path, apiId }) => [path, apiId]));
    response.responses.forEach(({ partitionResponses }, topicAt) => {
      partitionResponses.forEach(({ index, errorCode, baseOffset }, at) => {
        const id = ids.get(`/responses/${topicAt}/partition_responses/${at}`);
        found.set(index, errorCode === 0 ? baseOffset : protocolFailure(typeof id === "string" ? id : "UNKNOWN"));
      });
    });
  }
  return found;
}

interface Answered {
  readonly partitionResponses: readonly { readonly index: number; readonly errorCode: number; readonly baseOffset: bigint }[];
}

/** Runs work with a new client and lets go of it, at the latest when the time is over or the service stops. @throws {Failure} */
async function withClient<T>(settings: Config, context: Context, work: (client: Client) => Promise<T>): Promise<T> {
  const deadline = AbortSignal.timeout(settings.timeoutMs);
  const over = AbortSignal.any([context.signal, deadline]);
  if (over.aborted) throw connectorFailure("retryable", "HTTP_UNREACHABLE", "shutting down");
  const client = newClient(settings);
  const ended = new Promise<never>((_, reject) => {
    over.addEventListener("abort", () => {
      const late = connectorFailure("retryable", "HTTP_TIMEOUT", `the brokers did not answer within ${settings.timeoutMs} ms`);
      reject(deadline.aborted ? late : connectorFailure("retryable", "HTTP_UNREACHABLE", "shutting down"));
    });
  });
  ended.catch(() => undefined);
  try {
    return await Promise.race([work(client), ended]);
  } catch (error) {
    throw clientFailure(error);
  } finally {
    // Nobody waits for brokers that do not answer; what goes wrong while closing changes nothing any more.
    Promise.resolve(client.close(true)).catch(() => undefined);
  }
}

function newClient({ brokers, tls, ca, certificate, certificateKey, sasl, compression, timeoutMs }: Config): Client {
  const secure = {
    rejectUnauthorized: true,
    ...(ca === undefined ? {} : { ca: ca.reveal() }),
    ...(certificate === undefined ? {} : { cert: certificate.reveal() }),
    ...(certificateKey === undefined ? {} : { key: certificateKey.reveal() }),
  };
  const login =
    sasl === undefined ? {} : { sasl: { mechanism: sasl.mechanism, username: sasl.username, password: sasl.password.reveal().trimEnd() } };
  return new Producer({
    clientId: "custodes",
    bootstrapBrokers: [...brokers],
    serializers: stringSerializers,
    idempotent: true,
    acks: -1,
    autocreateTopics: false,
    compression,
    retries: RETRIES,
    retryDelay: RETRY_DELAY_MS,
    timeout: timeoutMs,
    connectTimeout: timeoutMs,
    ...(tls ? { tls: secure, tlsServerName: true } : {}),
    ...login,
  });
}
