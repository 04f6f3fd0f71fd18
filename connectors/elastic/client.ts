/**
 * The vendor's client, tamed: one attempt per call, over the connector's own Context, failures without contents.
 */
import { BaseConnection, Client, errors } from "@elastic/elasticsearch";
import { statusFailure } from "../../src/archetypes/bulk/status.ts";
import { exchangeWithin } from "../../src/archetypes/deadline.ts";
import { connectorFailure, type Answer } from "../../src/archetypes/http-exchange.ts";
import { Failure } from "../../src/core/errors.ts";
import type { EpochMs } from "../../src/core/event.ts";
import type { Context } from "../../src/ports/context.ts";
import type { Config } from "./config.ts";

/** The headers of an answer that the client or we look at. */
const HEADERS = ["content-type", "location", "retry-after", "warning", "x-elastic-product"] as const;

/**
 * A client for one batch or check. Retries are off (`maxRetries: 0`): the client would repeat 502 to 504 at once and
 * whole batches with them, while the pipeline knows how to wait and when to stop. Its connections are replaced by
 * one over `Context.http`, because neither of its own keeps a time-out: since version 9 there is none by default,
 * `HttpConnection` stops watching once the headers have arrived, and `UndiciConnection` watches each silence by
 * itself and reports its time-out by dispatching `abort` on the caller's signal, which here is the service's. It also
 * keeps the credential, redirects and proxies under the rules that hold for every connector.
 * Made anew each time, so that a rotated key is used at once and nothing is left to close.
 */
export function clientFor(settings: Config, context: Context): Client {
  return new Client({
    node: settings.url,
    auth: { apiKey: settings.apiKey.reveal() },
    maxRetries: 0,
    enableMetaHeader: false,
    headers: { "user-agent": "custodes" },
    Connection: connectionOver(context, settings.timeoutMs),
  });
}

function connectionOver(context: Context, timeoutMs: number): typeof BaseConnection {
  return class ContextConnection extends BaseConnection {
    // The base class also promises streams, which nothing here asks for: `never` satisfies both promises.
    override request(params: Parameters<BaseConnection["request"]>[0]): Promise<never> {
      const query = params.querystring === undefined || params.querystring === "" ? "" : `?${params.querystring}`;
      const headers: Record<string, string> = {};
      for (const [name, value] of Object.entries({ ...this.headers, ...params.headers }))
        if (typeof value === "string") headers[name] = plainType(value);
      const exchange = exchangeWithin(
        {
          peer: "Elasticsearch",
          method: params.method === "GET" ? "GET" : "POST",
          url: `${this.url.href.replace(/\/$/, "")}${params.path}${query}`,
          headers,
          ...(typeof params.body === "string" ? { body: params.body } : {}),
        },
        context,
        timeoutMs,
      );
      return exchange.then(toResponse) as Promise<never>;
    }

    override close(): Promise<void> {
      return Promise.resolve();
    }
  };
}

/**
 * The client asks for answers in the form of its own major version, which a server of an older one refuses as a media type that it
 * does not know. What is used here has had one form since version 8, so the plain types do for every version.
 */
function plainType(value: string): string {
  return value.replace(/application\/vnd\.elasticsearch\+((?:x-nd)?json); ?compatible-with=\d+/g, "application/$1");
}

function toResponse(answer: Answer): { readonly statusCode: number; readonly headers: Record<string, string>; readonly body: string } {
  const headers: Record<string, string> = {};
  for (const name of HEADERS) {
    const value = answer.header(name);
    if (value !== undefined) headers[name] = value;
  }
  return { statusCode: answer.status, headers, body: answer.text };
}

/** A call of the client with what it throws made a Failure. `url` is the configured address. @throws {Failure} */
export async function called<T>(call: Promise<T>, url: string, now: EpochMs): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw failureOf(error, url, now);
  }
}

/** The client's errors carry request, credential and answer: none of it goes on, not even as a cause. */
function failureOf(error: unknown, url: string, now: EpochMs): unknown {
  if (error instanceof Failure) return error;
  if (error instanceof errors.ResponseError) return statusFailure(error.statusCode ?? 0, error.headers ?? {}, url, now);
  if (error instanceof errors.DeserializationError)
    return connectorFailure("retryable", "HTTP_MALFORMED", "the answer is not the JSON that it says it is");
  if (error instanceof errors.ProductNotSupportedError)
    return connectorFailure("retryable", "HTTP_MALFORMED", "the answer does not come from Elasticsearch (no X-Elastic-Product header)");
  return error;
}
