import { Failure } from "../core/errors.ts";
import type { Context } from "../ports/context.ts";
import { connectorFailure, exchange, type Answer, type Exchange } from "./http-exchange.ts";

/**
 * An exchange that ends after `timeoutMs` whatever the server does. The HTTP client's own time-out watches for
 * silence; a server that sends one byte now and then would hold a worker for as long as it likes.
 * @throws {Failure} retryable, scope connector: HTTP_TIMEOUT beside those of `exchange`
 */
export async function exchangeWithin(request: Exchange, context: Context, timeoutMs: number): Promise<Answer> {
  const deadline = AbortSignal.timeout(timeoutMs);
  try {
    return await exchange(request, { ...context, signal: AbortSignal.any([context.signal, deadline]) });
  } catch (error) {
    if (deadline.aborted && error instanceof Failure && error.kind === "retryable")
      throw connectorFailure("retryable", "HTTP_TIMEOUT", `${request.peer} did not answer within ${timeoutMs} ms`);
    throw error;
  }
}
