/** The connector's self-check: questions that change nothing on the other side. */
import { Failure } from "../../src/core/errors.ts";
import { asObject, type Json } from "../../src/core/record.ts";
import { safeText } from "../../src/core/safe-text.ts";
import type { Check } from "../../src/ports/connector.ts";
import type { Context } from "../../src/ports/context.ts";
import { called, clientFor } from "./client.ts";
import type { Config } from "./config.ts";
import { EVENT_PRIVILEGES, FINDING_PRIVILEGES } from "./privileges.ts";

/** From so much before its end on, a key is reported: a working week to replace it. */
const EXPIRY_WARNING_MS = 7 * 86_400_000;

type Client = ReturnType<typeof clientFor>;
/** A call's result, or why there is none. */
type Ask = <T>(call: Promise<T>) => Promise<T | Failure>;

/** Reach and product, key, privileges, then each index. Stops at the first that makes the next meaningless. */
export async function check(settings: Config, context: Context): Promise<readonly Check[]> {
  try {
    const client = clientFor(settings, context);
    const now = context.clock.now();
    const ask: Ask = async (call) => {
      try {
        return await called(call, settings.url, now);
      } catch (error) {
        if (error instanceof Failure) return error;
        throw error;
      }
    };
    const info = await ask(client.info());
    const reach = reachCheck(info);
    if (!reach.ok) return [reach];
    const who = await ask(client.security.authenticate());
    const key = await keyCheck(who, client, ask, now);
    if (!key.ok && who instanceof Failure) return [reach, key];
    return [reach, key, ...(await privilegeChecks(settings, client, ask)), ...(await indexChecks(settings, client, ask))];
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return [{ name: "key", ok: false, message: error.message, fix: "provide the secret that apiKey refers to" }];
  }
}

function reachCheck(answer: { readonly version?: { readonly number?: unknown; readonly build_flavor?: unknown } } | Failure): Check {
  if (!(answer instanceof Failure)) {
    const version = answer.version?.number;
    const shown = typeof version === "string" && /^[0-9A-Za-z.-]{1,30}$/.test(version) ? version : "of unknown version";
    const flavor = answer.version?.build_flavor === "serverless" ? " (Serverless)" : "";
    return { name: "reach", ok: true, message: `Elasticsearch ${shown}${flavor} answers` };
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
        : "check host, port and firewall; for a certificate of your own set tls: { ca: FILE } to that of its authority",
  };
}

async function keyCheck(who: object | Failure, client: Client, ask: Ask, now: number): Promise<Check> {
  if (who instanceof Failure)
    return {
      name: "key",
      ok: false,
      message: who.message,
      fix: "create an API key and put its `encoded` form (not id and key apart) into the referenced secret; see the connector's README for its role",
    };
  const id = asObject((who as Json)["api_key"])?.["id"];
  const expiration = typeof id === "string" ? expirationOf(await ask(client.security.getApiKey({ id, owner: true }))) : undefined;
  if (expiration === undefined) return { name: "key", ok: true, message: "the API key is valid" };
  const until = new Date(expiration).toISOString().slice(0, 10);
  if (expiration - now > EXPIRY_WARNING_MS) return { name: "key", ok: true, message: `the API key is valid until ${until}` };
  return {
    name: "key",
    ok: false,
    message: `the API key ends on ${until}`,
    fix: "create a new key with the same role, put it into the referenced secret (it is read anew for every batch), then invalidate this one",
  };
}

/** When the key ends, epoch milliseconds; undefined when it never does, or when it may not be asked. */
function expirationOf(answer: object | Failure): number | undefined {
  if (answer instanceof Failure) return undefined;
  const keys = (answer as Json)["api_keys"];
  const expiration = Array.isArray(keys) ? asObject(keys[0])?.["expiration"] : undefined;
  // Beyond this a Date has no text.
  return typeof expiration === "number" && Math.abs(expiration) <= 8.64e15 ? expiration : undefined;
}

async function privilegeChecks(settings: Config, client: Client, ask: Ask): Promise<readonly Check[]> {
  const names = [settings.alertIndex, settings.incidentIndex];
  const findings = { names, privileges: [...FINDING_PRIVILEGES] };
  const events = { names: [settings.eventStream], privileges: [...EVENT_PRIVILEGES] };
  const write = await ask(client.security.hasPrivileges({ index: [findings] }));
  const create = await ask(client.security.hasPrivileges({ index: [events] }));
  const may = (answer: { readonly has_all_requested?: unknown } | Failure): boolean =>
    !(answer instanceof Failure) && answer.has_all_requested === true;
  return [
    may(write)
      ? { name: "privileges", ok: true, message: "the key may write to both indices" }
      : {
          name: "privileges",
          ok: false,
          message: write instanceof Failure ? write.message : "the key lacks a privilege on one of the indices",
          fix: `give the key's role the index privileges ${FINDING_PRIVILEGES.join(", ")} on the names in alertIndex and incidentIndex`,
        },
    // Not a fault: most configurations send no events.
    {
      name: "privileges for events",
      ok: true,
      message: may(create)
        ? "the key may create events"
        : `the key may not create events: where they are sent, it needs ${EVENT_PRIVILEGES.join(", ")} on ${settings.eventStream}`,
    },
  ];
}

async function indexChecks(settings: Config, client: Client, ask: Ask): Promise<readonly Check[]> {
  const checks: Check[] = [];
  for (const name of new Set([settings.alertIndex, settings.incidentIndex])) {
    checks.push(kindCheck(name, await ask(client.indices.getDataStream({ name }))));
    checks.push(templateCheck(name, true, await ask(client.indices.simulateIndexTemplate({ name }))));
  }
  const stream = settings.eventStream;
  checks.push(templateCheck(stream, false, await ask(client.indices.simulateIndexTemplate({ name: stream }))));
  checks.push(streamCheck(stream, await ask(client.indices.getDataStream({ name: stream }))));
  return checks;
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

/** Whether the template that would win gives our fields their types. For events it is only said: most configurations send none. */
function templateCheck(index: string, needed: boolean, answer: object | Failure): Check {
  const name = `template of ${index}`;
  if (answer instanceof Failure && answer.code === "HTTP_DENIED")
    return { name, ok: true, message: "not checked: this key may not look at templates" };
  const mappings = answer instanceof Failure ? undefined : asObject(asObject((answer as Json)["template"])?.["mappings"]);
  const own = asObject(asObject(mappings?.["properties"])?.["custodes"]);
  if (own !== undefined) return { name, ok: true, message: "it gives our fields their types" };
  return {
    name,
    ok: !needed,
    message: "no template of ours applies, so that fields get the types of whatever comes first",
    fix: "run `custodes setup` for this destination",
  };
}

function streamCheck(stream: string, answer: object | Failure): Check {
  const name = `data stream ${stream}`;
  if (answer instanceof Failure)
    return {
      name,
      ok: true,
      message: answer.code === "DESTINATION_CONFIG" ? "it does not exist yet" : "not checked: this key may not look at data streams",
    };
  const list = (answer as Json)["data_streams"];
  const found = asObject(Array.isArray(list) ? list[0] : undefined);
  const status = typeof found?.["status"] === "string" ? safeText(found["status"], 20) : "unknown";
  const store = asObject(found?.["failure_store"])?.["enabled"] === true ? "with" : "without";
  return { name, ok: true, message: `status ${status}, ${store} a failure store` };
}
