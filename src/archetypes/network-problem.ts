/** What errors of the network layer mean to an operator: certificates, addresses, proxies. */
import type { FailureCode, FailureKind } from "../core/errors.ts";

/** What to do about a broken connection, in words that fit behind "the connection to X failed: ". */
export interface NetworkProblem {
  readonly kind: Extract<FailureKind, "retryable" | "permanent">;
  readonly code: FailureCode;
  readonly message: string;
}

/** Names that OpenSSL and Node give to a chain that ends in no trusted authority. */
const UNKNOWN_AUTHORITY = new Set([
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "CERT_UNTRUSTED",
  "INVALID_CA",
]);

const untrusted = (message: string): NetworkProblem => ({ kind: "permanent", code: "HTTP_UNTRUSTED", message });

const REFUSED = untrusted("the server refuses our certificate, or wants one; see tls.cert and tls.key");

const BY_CODE: Readonly<Record<string, NetworkProblem>> = {
  CERT_HAS_EXPIRED: untrusted("the server's certificate has expired; renew it there"),
  CERT_NOT_YET_VALID: untrusted("the server's certificate is not valid yet; compare the clocks"),
  CERT_REVOKED: untrusted("the server's certificate is revoked"),
  ERR_TLS_CERT_ALTNAME_INVALID: untrusted(
    "the server's certificate is for another name; use that name in the address, or set tls.serverName",
  ),
  TLS_FILE: untrusted("a file of tls.ca or tls.cert cannot be read"),
  ADDRESS_REFUSED: {
    kind: "permanent",
    code: "HTTP_ADDRESS",
    message: "the address is private or a metadata service, and not allowed; see network.allowPrivate",
  },
  PROXY_DENIED: { kind: "permanent", code: "HTTP_PROXY", message: "the proxy refuses its credential (407)" },
  PROXY_REFUSED: { kind: "permanent", code: "HTTP_PROXY", message: "the proxy does not let us through to the server" },
  PROXY_FAILED: { kind: "retryable", code: "HTTP_PROXY", message: "the proxy cannot be reached, or cannot reach the server" },
};

/** A server's word about our certificate, or the lack of one, as OpenSSL spells it in a message (RFC 8446 section 6.2). */
const REFUSES_OURS =
  /\balert (?:handshake failure|no certificate|bad certificate|unsupported certificate|certificate|unknown ca|access denied)/;

/** The problem behind an error of the HTTP client; undefined for any other broken connection. `message` is looked at and never shown. */
export function networkProblem({ code, message }: { readonly code?: unknown; readonly message?: unknown }): NetworkProblem | undefined {
  if (typeof code !== "string") return undefined;
  if (code === "EPROTO" && typeof message === "string" && REFUSES_OURS.test(message)) return REFUSED;
  if (UNKNOWN_AUTHORITY.has(code))
    return untrusted(`the server's certificate comes from no authority that is trusted (${code}); set tls.ca to the file of its authority`);
  if (Object.hasOwn(BY_CODE, code)) return BY_CODE[code];
  if (/^ERR_SSL_\w+_ALERT_(?:HANDSHAKE_FAILURE|(?:\w+_)?CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)/.test(code)) return REFUSED;
  if (/^ERR_(?:OSSL|SSL|CRYPTO)_.*(?:PEM|KEY_VALUES_MISMATCH|NO_START_LINE|UNSUPPORTED|BAD_DECRYPT|ASN1)/.test(code))
    return untrusted("tls.ca, tls.cert or tls.key is not usable PEM, or key and certificate do not belong together");
  return undefined;
}
