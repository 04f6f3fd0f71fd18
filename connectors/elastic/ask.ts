/** Requests of a setup to Elasticsearch and to Kibana, with the installer's credential. */
import { basicAuth } from "../../src/archetypes/bulk/basic-auth.ts";
import type { Asks } from "../../src/archetypes/bulk/install.ts";
import { exchangeWithin } from "../../src/archetypes/deadline.ts";
import type { Config } from "./config.ts";

/** Longer than a delivery may take: Kibana migrates and indexes what is imported before it answers. */
const SETUP_TIMEOUT_MS = 120_000;

/** Asks Elasticsearch. The credential is an encoded API key, or `user:password`. */
export function elasticsearch(settings: Config): Asks {
  return (context, credential) => (method, path, body, headers) =>
    exchangeWithin(
      {
        peer: "Elasticsearch",
        method,
        url: `${settings.url}${path}`,
        headers: { authorization: authorization(credential.reveal()), "user-agent": "custodes", ...contentType(body), ...headers },
        ...(body === undefined ? {} : { body: text(body) }),
      },
      context,
      SETUP_TIMEOUT_MS,
    );
}

/** Asks Kibana, in its space. Without `kbn-xsrf` it refuses whatever changes something. */
export function kibana(settings: Config, url: string): Asks {
  const base = settings.kibanaSpace === "default" ? url : `${url}/s/${settings.kibanaSpace}`;
  return (context, credential) => (method, path, body, headers) =>
    exchangeWithin(
      {
        peer: "Kibana",
        method,
        url: `${base}${path}`,
        headers: {
          authorization: authorization(credential.reveal()),
          "user-agent": "custodes",
          "kbn-xsrf": "custodes",
          "elastic-api-version": "2023-10-31",
          ...contentType(body),
          ...headers,
        },
        ...(body === undefined ? {} : { body: text(body) }),
      },
      context,
      SETUP_TIMEOUT_MS,
    );
}

function authorization(credential: string): string {
  // An encoded key is base64, which has no colon.
  return credential.includes(":") ? basicAuth(credential) : `ApiKey ${credential}`;
}

function contentType(body: unknown): Readonly<Record<string, string>> {
  return body === undefined || typeof body === "string" ? {} : { "content-type": "application/json" };
}

function text(body: unknown): string {
  return typeof body === "string" ? body : JSON.stringify(body);
}
