/** Guards: no connection ever goes to a metadata service, and to a private address only where the operator's configuration leads. */
import ipaddr from "ipaddr.js";
import type { Network } from "../../ports/network.ts";

/** An error of the connection with a code that `networkProblem` explains. Its message never holds a secret. */
export class NetworkError extends Error {
  readonly code: "ADDRESS_REFUSED" | "PROXY_DENIED" | "PROXY_REFUSED" | "PROXY_FAILED" | "TLS_FILE";
  constructor(code: NetworkError["code"], message: string) {
    super(message);
    this.code = code;
  }
}

type Kind = "never" | "loopback" | "private" | "public";

/** Ranges by the names of ipaddr.js that nothing is ever asked in. */
const NEVER = new Set(["unspecified", "broadcast", "multicast", "linkLocal"]);
/** Ranges in which everybody may reach what they like. */
const PUBLIC = new Set(["unicast", "as112", "as112v6", "amt"]);
/** Metadata services outside the link-local ranges: AWS (IPv6), Google (IPv6), Azure's wire server, Alibaba, Oracle's older one. */
const METADATA = new Set(["fd00:ec2::254", "fd20:ce::254", "168.63.129.16", "100.100.100.200", "192.0.0.192"]);
/** Their names, for a proxy that would resolve them for us. */
const METADATA_NAMES = /^(?:metadata|metadata\.google\.internal|metadata\.goog|instance-data(?:\.ec2\.internal)?)\.?$/;

/** Why `address`, to which `host` leads, must not be connected to; undefined when it may be. */
export function addressRefusal(address: string, host: string, network: Network): string | undefined {
  const kind = kindOf(address);
  if (kind === "public") return undefined;
  if (kind === "never") return "a link-local, metadata, multicast or unspecified address, which is never connected to";
  const { allowPrivate } = network;
  if (allowPrivate === true) return undefined;
  if (Array.isArray(allowPrivate))
    return within(address, allowPrivate as readonly string[]) ? undefined : `a ${kind} address outside network.allowPrivate`;
  const name = bare(host);
  const literal = ipaddr.isValid(name) || name === "localhost";
  const named = isConfigured(name, network.hosts());
  // A name that leads to this machine is how a web page reaches what only this machine may.
  if (named && (literal || (kind === "private" && allowPrivate !== false))) return undefined;
  return named
    ? `a ${kind} address; write it out in the configuration, or list it in network.allowPrivate`
    : `a ${kind} address of a host that is not in the configuration`;
}

/** Why nothing may be asked of `host` whatever it resolves to: for a proxy that resolves it. */
export function hostRefusal(host: string, network: Network): string | undefined {
  const name = bare(host);
  if (METADATA_NAMES.test(name)) return "a metadata service, which is never connected to";
  return ipaddr.isValid(name) ? addressRefusal(name, name, network) : undefined;
}

/** Whether the configuration names the host, or a domain that it lies in (virtual hosts of buckets). */
export function isConfigured(host: string, hosts: ReadonlySet<string>): boolean {
  const name = bare(host);
  return [...hosts].some((one) => one === name || (!ipaddr.isValid(one) && name.endsWith(`.${one}`)));
}

function bare(host: string): string {
  return host.replace(/^\[|\]$/g, "").toLowerCase();
}

function kindOf(text: string): Kind {
  const ip = parsed(text);
  if (ip === undefined) return "never";
  const range: string = ip.range();
  if (NEVER.has(range) || METADATA.has(ip.toString())) return "never";
  if (range === "loopback") return "loopback";
  return PUBLIC.has(range) ? "public" : "private";
}

/** The address, or the IPv4 one that it stands for: mapped (RFC 4291), translated (RFC 6052), 6to4 (RFC 3056). */
function parsed(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  const plain = text.replace(/%.*$/, "");
  if (!ipaddr.isValid(plain)) return undefined;
  const ip = ipaddr.parse(plain);
  if (!(ip instanceof ipaddr.IPv6)) return ip;
  const bytes = ip.toByteArray();
  const last = (): ipaddr.IPv4 => new ipaddr.IPv4(bytes.slice(12));
  // `::1` and `::` are of the same form as the compatible addresses of old.
  const compatible = bytes.slice(0, 12).every((byte) => byte === 0) && bytes.slice(12, 14).some((byte) => byte !== 0);
  if (ip.isIPv4MappedAddress() || ["rfc6145", "rfc6052"].includes(ip.range()) || compatible) return last();
  return ip.range() === "6to4" ? new ipaddr.IPv4(bytes.slice(2, 6)) : ip;
}

function within(text: string, networks: readonly string[]): boolean {
  const ip = parsed(text);
  return networks.some((network) => {
    const [base, bits] = ipaddr.parseCIDR(network);
    return ip !== undefined && ip.kind() === base.kind() && ip.match(base, bits);
  });
}
