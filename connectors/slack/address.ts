import { connectorFailure } from "../../src/archetypes/http-exchange.ts";
import { HOSTS, type Config } from "./config.ts";

/** The secret address, once it is clear that it is Slack's: it comes from outside at each use. @throws {Failure} permanent */
export function webhookAddress({ webhookUrl, endpoint, workspace }: Config): string {
  const url = webhookUrl?.reveal() ?? "";
  if (url.startsWith(`${endpoint ?? HOSTS[workspace].hooks}/services/`) && /^[\x21-\x7e]{1,500}$/.test(url)) return url;
  throw connectorFailure("permanent", "DESTINATION_CONFIG", "webhookUrl is no address of an incoming webhook; check what the secret holds");
}
