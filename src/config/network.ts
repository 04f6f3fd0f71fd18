/** Keys by which an instance says how its servers are reached, and the hosts that it names. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { z } from "zod";
import { secret, serverUrl } from "../archetypes/settings.ts";
import type { Network } from "../ports/network.ts";
import { isSecret } from "./secrets.ts";

/** Deeper settings hold no addresses. */
const DEPTH_MAX = 8;

const file = z.string().min(1);
const proxyUrl = serverUrl("http://proxy.example:3128");

/** Keys of sources and destinations alike. */
export const networkKeys = {
  tls: z
    .strictObject({
      ca: file.optional().describe("PEM file of the authorities that are trusted, instead of the public ones; relative to this file"),
      cert: file.optional().describe("PEM file of our own certificate (mutual TLS); relative to this file. Needs key"),
      key: secret.optional().describe("PEM of its key, as a reference"),
      serverName: z.string().min(1).max(253).optional().describe("Name in the server's certificate, where it is not that of the address"),
    })
    .refine(({ cert, key }) => (cert === undefined) === (key === undefined), "cert and key belong together: give both or neither")
    .optional()
    .describe("Certificates. They are always verified; files are read anew for each connection"),
  proxy: z
    .union([
      secret,
      proxyUrl,
      z.strictObject({
        url: proxyUrl,
        username: z.string().min(1).describe("Name for the proxy"),
        password: secret.describe("Password for the proxy, as a reference"),
      }),
    ])
    .optional()
    .describe(
      "HTTP proxy, used with CONNECT: its address, a reference to it (it may hold user:password then), or url, username and password. Default: none, whatever the environment says",
    ),
  network: z
    .strictObject({
      allowPrivate: z
        .union([z.boolean(), z.array(z.union([z.cidrv4(), z.cidrv6()], "write networks as 10.0.0.0/8 or fd12::/16"))])
        .optional()
        .describe(
          "Private addresses. Default: those of hosts that stand in the configuration. false: only addresses that are written out there; a list: only these networks; true: all, this machine too",
        ),
    })
    .optional()
    .describe("Which addresses may be connected to. Link-local and metadata addresses never are"),
};

/** The keys after they were checked. */
export type NetworkKeys = { readonly [K in keyof typeof networkKeys]?: z.output<(typeof networkKeys)[K]> };

/** How the instance's servers are reached: the keys with absolute paths, and the hosts that its settings name. */
export function networkOf(keys: NetworkKeys, options: unknown, directory: string): Network {
  const { tls, proxy, network } = keys;
  const at = (path: string | undefined) => (path === undefined ? undefined : resolve(directory, path));
  const through = proxy === undefined ? undefined : typeof proxy === "string" || isSecret(proxy) ? { url: proxy } : proxy;
  return {
    ...(tls === undefined ? {} : { tls: { ...tls, ca: at(tls.ca), cert: at(tls.cert) } }),
    ...(through === undefined ? {} : { proxy: through as NonNullable<Network["proxy"]> }),
    allowPrivate: network?.allowPrivate,
    hosts: () => {
      const hosts = new Set<string>();
      addHosts(hosts, [options, through?.url], 0);
      return hosts;
    },
  };
}

/** Files that the keys name and that are not there, by key. */
export function missingFiles({ tls }: Network): readonly { readonly key: "ca" | "cert"; readonly path: string }[] {
  return (["ca", "cert"] as const).flatMap((key) => {
    const path = tls?.[key];
    return path === undefined || existsSync(path) ? [] : [{ key, path }];
  });
}

/** An address may itself be a secret, as that of a webhook. */
function addHosts(hosts: Set<string>, value: unknown, depth: number): void {
  const text = isSecret(value) ? revealed(value) : value;
  if (typeof text === "string") {
    const url = /^https?:\/\//.test(text) && URL.canParse(text) ? new URL(text) : undefined;
    if (url !== undefined) hosts.add(url.hostname.replace(/^\[|\]$/g, "").toLowerCase());
  } else if (typeof text === "object" && text !== null && depth < DEPTH_MAX) {
    for (const one of Object.values(text)) addHosts(hosts, one, depth + 1);
  }
}

function revealed(secret: { reveal(): string }): string | undefined {
  try {
    return secret.reveal();
  } catch {
    // A secret that is missing names no host; whoever needs it says that it is missing.
    return undefined;
  }
}
