/**
 * RFC 5424 messages, and how they are told apart on a stream: octet counting, RFC 5425 section 4.3 (TLS) and RFC 6587
 * section 3.4.1 (TCP). Nothing in a message can end it early: its length says where it ends.
 */
import { isoTime } from "../../src/archetypes/own-object.ts";
import type { EpochMs } from "../../src/core/event.ts";

/** Header and structured data of a message. All texts but those of `data` come from the configuration. */
export interface Header {
  /** 0 to 23. */
  readonly facility: number;
  /** 0 (emergency) to 7 (debug). */
  readonly severity: number;
  readonly time: EpochMs;
  readonly hostName: string;
  readonly appName: string;
  readonly messageId: string;
  /** Parameters of the element `custodes@<enterpriseId>`; none without a number. */
  readonly enterpriseId: number | undefined;
  readonly data: Readonly<Record<string, string>>;
}

/**
 * `<PRI>1 TIMESTAMP HOSTNAME APP-NAME - MSGID [SD] MSG`. Without the byte order mark that RFC 5424 wants before UTF-8:
 * rsyslog and others leave it in the message, where CEF parsers stumble over it.
 */
export function syslogMessage(header: Header, text: string): string {
  const { facility, severity, time, hostName, appName, messageId, enterpriseId, data } = header;
  const parameters = Object.entries(data).map(([name, value]) => ` ${name}="${escapeParameter(value)}"`);
  const structured = enterpriseId === undefined ? "-" : `[custodes@${enterpriseId}${parameters.join("")}]`;
  return `<${facility * 8 + severity}>1 ${isoTime(time)} ${hostName} ${appName} - ${messageId} ${structured} ${text}`;
}

/** RFC 5424 section 6.3.3: these three, and nothing else. */
function escapeParameter(value: string): string {
  return value.replaceAll(/["\\\]]/g, (char) => `\\${char}`);
}

/** `MSG-LEN SP SYSLOG-MSG` of each message, one after the other. */
export function framed(messages: readonly string[]): Uint8Array {
  const encoder = new TextEncoder();
  const parts = messages.map((message) => encoder.encode(message)).flatMap((bytes) => [encoder.encode(`${bytes.length} `), bytes]);
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
