/** Signs requests to AWS (Signature Version 4). */
import { SignatureV4 } from "@smithy/signature-v4";
import { Sha256 } from "./sha256.ts";
import type { EpochMs } from "../../src/core/event.ts";

/** Keys as they are now. */
export interface AwsKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | undefined;
}

/** What is signed. */
export interface ToSign {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

/**
 * The headers with which the request goes out. `x-amz-content-sha256` is among them, which OpenSearch Serverless requires.
 * The time is the caller's: AWS refuses a signature that is more than minutes off.
 */
export async function signed(
  request: ToSign,
  place: { readonly region: string; readonly service: string },
  keys: AwsKeys,
  now: EpochMs,
): Promise<Readonly<Record<string, string>>> {
  const url = new URL(request.url);
  const { sessionToken, ...pair } = keys;
  const signer = new SignatureV4({
    ...place,
    credentials: sessionToken === undefined ? pair : { ...pair, sessionToken },
    sha256: Sha256,
  });
  const { headers } = await signer.sign(
    {
      method: request.method,
      protocol: url.protocol,
      hostname: url.hostname,
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: { ...request.headers, host: url.host },
      ...(request.body === undefined ? {} : { body: request.body }),
    },
    { signingDate: new Date(now) },
  );
  // The HTTP client writes `host` by itself, from the same URL.
  const { host: _, ...rest } = headers;
  return rest;
}
