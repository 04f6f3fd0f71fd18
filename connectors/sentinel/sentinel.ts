import { connectorFailure } from "../../src/archetypes/http-exchange.ts";
import { findingDelivery } from "../../src/archetypes/finding.ts";
import { defineConnector, type Delivery, type Destination, type Outcome, type Rendered } from "../../src/ports/connector.ts";
import type { Context } from "../../src/ports/context.ts";
import { azureAccess, type Access } from "./access.ts";
import { check } from "./check.ts";
import { CLOUDS, config, type Config } from "./config.ts";
import { renderEvent } from "./event-render.ts";
import { sendIncidents } from "./incident-send.ts";
import { deniedFailure, postRows, withToken } from "./ingest.ts";
import { BATCH_BYTES_MAX, BATCH_ITEMS_MAX, ITEM_BYTES_MAX, render } from "./render.ts";
import { ingestionFailure, PEER } from "./responses.ts";
import { setup } from "./setup.ts";
import { streamOf, TABLES, type TableName } from "./tables.ts";

/** Microsoft Sentinel: alerts, incidents and events as ASIM rows through the Logs Ingestion API. */
export default defineConnector<Config>({
  id: "sentinel",
  title: "Microsoft Sentinel (Logs Ingestion API)",
  config,
  check,
  setup,
  destination,
  // Where a machine of Azure gets the token of its managed identity: https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
  metadata: ({ managedIdentity }) => (managedIdentity === true ? ["http://169.254.169.254/metadata/identity/oauth2/token"] : []),
});

function destination(options: Config): Destination {
  const cloud = CLOUDS[options.cloud];
  const access = azureAccess(options, cloud.scope);
  const management = azureAccess(options, `${cloud.management}/.default`);
  return {
    limits: { batchItems: BATCH_ITEMS_MAX, batchBytes: BATCH_BYTES_MAX, itemBytes: ITEM_BYTES_MAX },
    accepts: ["alert", "incident", "event"],
    render: (delivery) => rendered(delivery, options),
    send: async (batch, context) => {
      const [first] = batch;
      if (first === undefined) return [];
      const sendAll = (rows: readonly Rendered[]) => sendRows(options, access, rows, context);
      return first.group === INCIDENTS ? sendIncidents(options, management, batch, context, sendAll) : sendAll(batch);
    },
  };
}

/** Group of incident revisions that also go through the incidents API. */
const INCIDENTS = "incidents";

/** A call goes to one stream, so rows of different tables never share a batch. */
function rendered(delivery: Delivery, options: Config): Rendered {
  const { subject } = delivery;
  const one = subject.kind === "event" ? renderEvent({ ...delivery, subject }, ITEM_BYTES_MAX) : render(findingDelivery(delivery), options);
  return { ...one, group: subject.kind === "incident" && options.incidents === "api" ? INCIDENTS : String(one.meta?.["table"]) };
}

/** All rows or none: the service takes or refuses a call as a whole. @throws {Failure} */
async function sendRows(options: Config, access: Access, batch: readonly Rendered[], context: Context): Promise<readonly Outcome[]> {
  const stream = streamOf(tableOf(batch), options.stream);
  const body = `[${batch.map((one) => one.body).join(",")}]`;
  const { answer, requestId } = await withToken(PEER, access, context, (token) => postRows(options, stream, token, body, context));
  const now = context.clock.now();
  if (answer.status === 403) throw deniedFailure(answer, batch, options.freshRoleGraceMs, now, { peer: PEER, needs: NEEDS });
  if (answer.status !== 204) throw ingestionFailure(answer, now, batch.length);
  const outcome: Outcome = { status: "delivered", receipt: `204, request ${requestId}` };
  return batch.map(() => outcome);
}

const NEEDS =
  "the application needs the role Monitoring Metrics Publisher on the data collection rule, and endpoint and rule must belong together";

function tableOf(batch: readonly Rendered[]): TableName {
  const tables = new Set(batch.map((one) => String(one.meta?.["table"])));
  const [table] = tables;
  if (tables.size !== 1 || table === undefined || !isTable(table))
    throw connectorFailure("retryable", "RECORD_BUG", "a batch must hold rows of one table");
  return table;
}

function isTable(name: string): name is TableName {
  return Object.hasOwn(TABLES, name);
}
