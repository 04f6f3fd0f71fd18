/** One request to OpenSearch with the credential of the service or of an installer. */
import { basicAuth } from "../../src/archetypes/bulk/basic-auth.ts";
import type { Asks } from "../../src/archetypes/bulk/install.ts";
import { exchangeWithin } from "../../src/archetypes/deadline.ts";
import type { Answer } from "../../src/archetypes/http-exchange.ts";
import { Failure } from "../../src/core/errors.ts";
import type { Context } from "../../src/ports/context.ts";
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

/** Asks with the service's own credential, revealed anew. */
export function ask(request: Request, settings: Config, context: Context): Promise<Answer> {
  const { basic, aws } = settings;
  const credential =
    basic === undefined
      ? {
          accessKeyId: aws!.accessKeyId.reveal(),
          secretAccessKey: aws!.secretAccessKey.reveal(),
          sessionToken: aws!.sessionToken?.reveal(),
        }
      : `${basic.username}:${basic.password.reveal()}`;
  return send(request, credential, settings, context, settings.timeoutMs);
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
