/** Signature version 4, by AWS's own library over the connector's one HTTP client; and where credentials come from. */
import { Sha256 } from "@aws-crypto/sha256-js";
import { SignatureV4 } from "@smithy/signature-v4";
import { connectorFailure } from "../../src/archetypes/http-exchange.ts";
import type { EpochMs } from "../../src/core/event.ts";
import type { Config } from "./config.ts";

/** What AWS's libraries call credentials. */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** Gives the credentials of now. @throws {Failure} retryable, scope connector, when the chain finds none */
export type CredentialSource = () => Promise<Credentials>;

/** Longest wait for one step of the chain, and its attempts: the pipeline repeats the rest. */
const CHAIN_TIMEOUT_MS = 5_000;

/**
 * Configured keys, revealed at each use; else AWS's usual chain, which keeps what it found until shortly before it ends. The
 * chain asks the instance's or container's own metadata endpoint, or AWS's token service, with a client of its own.
 */
export function credentialSource({ accessKeyId, secretAccessKey, sessionToken, region }: Config): CredentialSource {
  if (accessKeyId !== undefined && secretAccessKey !== undefined)
    return () =>
      Promise.resolve({
        accessKeyId: accessKeyId.reveal().trim(),
        secretAccessKey: secretAccessKey.reveal().trim(),
        ...(sessionToken === undefined ? {} : { sessionToken: sessionToken.reveal().trim() }),
      });
  let chain: Promise<CredentialSource> | undefined;
  return async () => {
    try {
      // Loaded when it is needed: most have keys, or no S3.
      chain ??= import("@aws-sdk/credential-providers").then(({ fromNodeProviderChain }) =>
        fromNodeProviderChain({ timeout: CHAIN_TIMEOUT_MS, maxRetries: 0, clientConfig: { region, maxAttempts: 1 } }),
      );
      return await (
        await chain
      )();
    } catch (error) {
      // What AWS says may quote a profile or an answer; its name does not.
      const name = error instanceof Error && /^[A-Za-z]{1,60}$/.test(error.name) ? error.name : "no reason";
      throw connectorFailure("retryable", "HTTP_DENIED", `no credentials were found for S3 (${name})`);
    }
  };
}

/** A request that is to be signed. */
export interface Unsigned {
  readonly method: "GET" | "PUT";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

/** All headers of the request with its signature. S3 wants its paths as they are: they are not escaped again. */
export async function signedHeaders(
  request: Unsigned,
  credentials: Credentials,
  region: string,
  now: EpochMs,
): Promise<Record<string, string>> {
  const { method, url, headers, body } = request;
  const signer = new SignatureV4({ service: "s3", region, credentials, sha256: Sha256, uriEscapePath: false, applyChecksum: true });
  const unsigned = {
    method,
    protocol: url.protocol,
    hostname: url.hostname,
    path: url.pathname,
    query: Object.fromEntries(url.searchParams),
    headers: { ...headers, host: url.host },
    ...(body === undefined ? {} : { body }),
  };
  const signed = await signer.sign(unsigned, { signingDate: new Date(now) });
  return signed.headers;
}
