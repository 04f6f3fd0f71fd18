/** Requests to OpenSearch with the credential of the service or of an installer. */
import { basicAuth } from "../../src/archetypes/bulk/basic-auth.ts";
import type { Asks } from "../../src/archetypes/bulk/install.ts";
import { exchangeWithin } from "../../src/archetypes/deadline.ts";
import type { Answer } from "../../src/archetypes/http-exchange.ts";
import { Failure } from "../../src/core/errors.ts";
import type { Context } from "../../src/ports/context.ts";
import { chainKeys } from "./chain.ts";
import type { Config } from "./config.ts";
import { signed, type AwsKeys } from "./sigv4.ts";

/** Longer than a delivery may take: templates wait for the cluster's state. */
const SETUP_TIMEOUT_MS = 120_000;

/** A request below the configured address. */
interface Request {
  readonly method: "GET" | "PUT" | "POST";
  /** With its query. */
  readonly path: string;
  readonly contentType?: string;
  readonly body?: string;
}

/** Asks as the service. */
export type ServiceAsk = (request: Request, context: Context) => Promise<Answer>;

/** Makes one that reveals its secrets anew each time; what AWS's chain has found is kept while it is good. */
export function serviceAsk(settings: Config): ServiceAsk {
  const { timeoutMs } = settings;
  const credential = credentialOf(settings);
  return async (request, context) => await send(request, await credential(), settings, context, timeoutMs);
}

function credentialOf({ basic, aws }: Config): () => string | AwsKeys | Promise<AwsKeys> {
  if (basic !== undefined) return () => `${basic.username}:${basic.password.reveal()}`;
  const { region, accessKeyId, secretAccessKey, sessionToken } = aws!;
  if (accessKeyId === undefined || secretAccessKey === undefined) return chainKeys(region);
  return () => ({
    accessKeyId: accessKeyId.reveal(),
    secretAccessKey: secretAccessKey.reveal(),
    sessionToken: sessionToken?.reveal(),
  });
}

/** Asks with an installer's: `user:password`, or `accessKeyId:secretAccessKey[:sessionToken]` where requests are signed. */
export function installerAsks(settings: Config): Asks {
  return (context, secret) => async (method, path, body) => {
    const text = secret.reveal();
    const [accessKeyId, secretAccessKey, sessionToken] = text.split(":");
    if (accessKeyId === undefined || secretAccessKey === undefined)
      throw new Failure("the installer's credential must be user:password, or accessKeyId:secretAccessKey[:sessionToken] for aws", {
        kind: "permanent",
        code: "HTTP_DENIED",
        scope: "connector",
      });
    const credential = settings.aws === undefined ? text : { accessKeyId, secretAccessKey, sessionToken };
    const content = body === undefined ? {} : { contentType: "application/json", body: JSON.stringify(body) };
    return await send({ method, path, ...content }, credential, settings, context, SETUP_TIMEOUT_MS);
  };
}

async function send(
  request: Request,
  credential: string | AwsKeys,
  settings: Config,
  context: Context,
  timeoutMs: number,
): Promise<Answer> {
  const { method, path, contentType, body } = request;
  const url = `${settings.url}${path}`;
  const plain = { "user-agent": "custodes", ...(contentType === undefined ? {} : { "content-type": contentType }) };
  const headers =
    typeof credential === "string"
      ? { ...plain, authorization: basicAuth(credential) }
      : await signed({ method, url, headers: plain, body }, settings.aws!, credential, context.clock.now());
  return await exchangeWithin({ peer: "OpenSearch", method, url, headers, ...(body === undefined ? {} : { body }) }, context, timeoutMs);
}
