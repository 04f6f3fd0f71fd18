/** AWS's usual chain of credentials: environment, web identity, container, instance, profile. */
import { fromNodeProviderChain } from "@aws-sdk/credential-providers";
import { connectorFailure } from "../../src/archetypes/http-exchange.ts";
import type { AwsKeys } from "./sigv4.ts";

/** Longest wait for one step of the chain; the pipeline repeats the rest. */
const CHAIN_TIMEOUT_MS = 5_000;

/**
 * Gives the keys of now; what the chain found is kept until shortly before it ends. The chain asks the instance's or container's own
 * metadata endpoint, or AWS's token service, with a client of its own.
 * @throws {Failure} (from the returned function) retryable, scope connector, when it finds none
 */
export function chainKeys(region: string): () => Promise<AwsKeys> {
  const chain = fromNodeProviderChain({ timeout: CHAIN_TIMEOUT_MS, maxRetries: 0, clientConfig: { region, maxAttempts: 1 } });
  return async () => {
    try {
      const { accessKeyId, secretAccessKey, sessionToken } = await chain();
      return { accessKeyId, secretAccessKey, sessionToken };
    } catch (error) {
      // What AWS says may quote a profile or an answer; its name does not.
      const name = error instanceof Error && /^[A-Za-z]{1,60}$/.test(error.name) ? error.name : "no reason";
      throw connectorFailure("retryable", "HTTP_DENIED", `no AWS credentials were found (${name})`);
    }
  };
}
