/** The connector's self-check: four questions that change nothing on the other side. */
import { Failure } from "../../src/core/errors.ts";
import type { Check } from "../../src/ports/connector.ts";
import type { Context } from "../../src/ports/context.ts";
import { called, clientFor } from "./client.ts";
import type { Config } from "./config.ts";

/** Writing a document with a version of one's own needs `index`; creating the index and its new fields `auto_configure`. */
const PRIVILEGES = ["index", "auto_configure"] as const;

/** Reach and product, key, privileges, kind of index. Stops at the first that makes the next meaningless. */
export async function check(settings: Config, context: Context): Promise<readonly Check[]> {
  try {
    const client = clientFor(settings, context);
    const ask = async <T>(call: Promise<T>): Promise<T | Failure> => {
      try {
        return await called(call, settings.url, context.clock.now());
      } catch (error) {
        if (error instanceof Failure) return error;
        throw error;
      }
    };
    const reach = reachCheck(await ask(client.info()));
    if (!reach.ok) return [reach];
    const key = keyCheck(await ask(client.security.authenticate()));
    if (!key.ok) return [reach, key];
    const names = [settings.alertIndex, settings.incidentIndex];
    const privileges = privilegesCheck(await ask(client.security.hasPrivileges({ index: [{ names, privileges: [...PRIVILEGES] }] })));
    const kinds: Check[] = [];
    for (const name of names) kinds.push(kindCheck(name, await ask(client.indices.getDataStream({ name }))));
    return [reach, key, privileges, ...kinds];
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return [{ name: "key", ok: false, message: error.message, fix: "provide the secret that apiKey refers to" }];
  }
}

function reachCheck(answer: { readonly version?: { readonly number?: unknown } } | Failure): Check {
  if (!(answer instanceof Failure)) {
    const version = answer.version?.number;
    const shown = typeof version === "string" && /^[0-9A-Za-z.-]{1,30}$/.test(version) ? version : "of unknown version";
    return { name: "reach", ok: true, message: `Elasticsearch ${shown} answers` };
  }
  // A key without the cluster privilege `monitor` is refused here, by Elasticsearch itself; the next question tells.
  if (answer.code === "HTTP_DENIED") return { name: "reach", ok: true, message: "it answers; the version is not shown to this key" };
  return {
    name: "reach",
    ok: false,
    message: answer.message,
    fix:
      answer.code === "HTTP_MALFORMED"
        ? "url must be Elasticsearch itself, not Kibana or a login page"
        : "check host, port and firewall; for a certificate of your own set NODE_EXTRA_CA_CERTS to the file of its authority",
  };
}

function keyCheck(answer: object | Failure): Check {
  if (!(answer instanceof Failure)) return { name: "key", ok: true, message: "the API key is valid" };
  return {
    name: "key",
    ok: false,
    message: answer.message,
    fix: "create an API key and put its `encoded` form (not id and key apart) into the referenced secret; see the connector's README for its role",
  };
}

function privilegesCheck(answer: { readonly has_all_requested?: unknown } | Failure): Check {
  if (!(answer instanceof Failure) && answer.has_all_requested === true)
    return { name: "privileges", ok: true, message: "the key may write to both indices" };
  return {
    name: "privileges",
    ok: false,
    message: answer instanceof Failure ? answer.message : "the key lacks a privilege on one of the indices",
    fix: `give the key's role the index privileges ${PRIVILEGES.join(", ")} on the names in alertIndex and incidentIndex`,
  };
}

function kindCheck(index: string, answer: object | Failure): Check {
  const name = `index ${index}`;
  if (!(answer instanceof Failure))
    return {
      name,
      ok: false,
      message: "it is a data stream, in which no revision can replace another",
      fix: "configure the name of a plain index, or remove the template that makes a data stream of it",
    };
  // 404 is the answer for a plain index and for one that does not exist yet.
  if (answer.code === "DESTINATION_CONFIG") return { name, ok: true, message: "it is no data stream" };
  return { name, ok: true, message: "not checked: this key may not look at data streams" };
}
