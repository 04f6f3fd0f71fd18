import type { Secret } from "./context.ts";

/** How one source or destination reaches its servers. Nothing here can switch the verification of certificates off. */
export interface Network {
  readonly tls?: {
    /** Absolute path of a PEM file: only what these authorities signed is trusted, instead of the public ones. */
    readonly ca?: string | undefined;
    /** Absolute path of the PEM file of our own certificate. */
    readonly cert?: string | undefined;
    /** PEM of its key. */
    readonly key?: Secret | undefined;
    /** Name that certificates of configured hosts must carry, where it is not that of the address. */
    readonly serverName?: string | undefined;
  };
  readonly proxy?: Proxy;
  /**
   * Private addresses: undefined, those that configured hosts have; true, any, loopback too; false, only an address that the
   * configuration writes out; a list, only those within these networks (CIDR).
   */
  readonly allowPrivate?: boolean | readonly string[] | undefined;
  /** Hosts that the configuration names, the proxy's too; lower-case, IPv6 without brackets. Asked anew: an address may be a secret. */
  readonly hosts: () => ReadonlySet<string>;
  /**
   * Addresses of a cloud's metadata service, without query, that this instance's credential needs. A GET or PUT of exactly these
   * is let through; a final slash stands for all below.
   */
  readonly metadata?: readonly string[];
}

/** An HTTP proxy that tunnels with CONNECT: its address (a secret when that holds a credential), and the credential otherwise. */
export interface Proxy {
  readonly url: string | Secret;
  readonly username?: string | undefined;
  readonly password?: Secret | undefined;
}
