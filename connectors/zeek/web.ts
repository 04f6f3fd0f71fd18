/**
 * Zeek ssl.log and http.log -> egress events that know the host by name. They come beside the conn.log line of the
 * same connection and carry no bytes of it, so that volumes are counted once.
 * https://docs.zeek.org/en/master/logs/ssl.html https://docs.zeek.org/en/master/logs/http.html
 */
import { CLASS, STATUS, type Event } from "../../src/core/event.ts";
import { httpActivityOf } from "../../src/core/ocsf/classes.ts";
import { hostName, numeric, redactUrl, text, urlPath } from "../../src/core/record.ts";
import { connectionUid, isOutbound, lineEvent, shortText, type Line } from "./line.ts";

/** A TLS handshake with the server name that the client asked for. */
export function sslEvent(line: Line, all: boolean): Event[] {
  const { log } = line;
  const uid = connectionUid(log);
  const outbound = isOutbound(line);
  if (!outbound && !all) return [];
  const event = lineEvent(line, `zeek:ssl:${uid}`, "egress", CLASS.networkActivity, 1, "ssl");
  event.protocol = "tcp";
  event.appProtocol = "tls";
  event.dstHost = hostName(log["server_name"]);
  event.directionId = outbound ? 2 : 3;
  if (typeof log["established"] === "boolean") event.statusId = log["established"] ? STATUS.success : STATUS.failure;
  event.statusDetail = text(log["validation_status"]);
  return [event];
}

/** A request in the clear, or through a proxy. */
export function httpEvent(line: Line, all: boolean): Event[] {
  const { log } = line;
  const uid = connectionUid(log);
  const outbound = isOutbound(line);
  if (!outbound && !all) return [];
  const method = text(log["method"])?.toUpperCase();
  // A connection that is kept alive carries many requests; they are numbered.
  const depth = shortText(log["trans_depth"]);
  const event = lineEvent(line, `zeek:http:${uid}:${depth}`, "egress", CLASS.httpActivity, httpActivityOf(method), "http");
  event.protocol = "tcp";
  event.appProtocol = "http";
  event.method = method;
  event.dstHost = hostName(log["host"]);
  event.url = redactUrl(log["uri"]);
  event.urlPath = urlPath(event.url);
  event.userAgent = text(log["user_agent"]);
  event.directionId = outbound ? 2 : 3;
  const code = numeric(log["status_code"]);
  if (code !== undefined && code > 0) {
    event.responseCode = code;
    event.errorFlag = code >= 400 ? 1 : 0;
    event.statusId = code >= 400 ? STATUS.failure : STATUS.success;
  }
  return [event];
}
