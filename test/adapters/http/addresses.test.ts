import { expect, test } from "vitest";
import { addressRefusal, hostRefusal } from "../../../src/adapters/http/addresses.ts";
import type { Network } from "../../../src/ports/network.ts";

const network = (allowPrivate?: Network["allowPrivate"], ...hosts: string[]): Network => ({ allowPrivate, hosts: () => new Set(hosts) });
const refused = (address: string, host: string, given: Network): boolean => addressRefusal(address, host, given) !== undefined;

/** Every way to write an address that nothing may ever be asked of. */
const NEVER = [
  "169.254.169.254",
  "169.254.0.1",
  "169.254.170.2",
  "::ffff:169.254.169.254",
  "::ffff:a9fe:a9fe",
  "::169.254.169.254",
  "64:ff9b::a9fe:a9fe",
  "2002:a9fe:a9fe::1",
  "fd00:ec2::254",
  "fd20:ce::254",
  "168.63.129.16",
  "100.100.100.200",
  "192.0.0.192",
  "fe80::1",
  "fe80::1%eth0",
  "224.0.0.1",
  "239.255.255.250",
  "ff02::1",
  "0.0.0.0",
  "0.1.2.3",
  "::",
  "::ffff:0.0.0.0",
  "255.255.255.255",
  "no address",
  "",
];

test.each(NEVER)("%s is never connected to, whatever is configured", (address) => {
  for (const given of [network(), network(true), network(["0.0.0.0/0", "::/0"]), network(undefined, address), network(true, "siem.corp")])
    expect([address, "siem.corp"].map((host) => refused(address, host, given))).toEqual([true, true]);
});

const PRIVATE = ["10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "fd12:3456::1", "::ffff:10.1.2.3", "198.18.0.1"];
const LOOPBACK = ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"];

test.each(PRIVATE)("%s may be where a configured host leads", (address) => {
  expect(refused(address, "siem.corp", network(undefined, "siem.corp"))).toBe(false);
  expect(refused(address, "SIEM.corp", network(undefined, "siem.corp"))).toBe(false);
  expect(refused(address, "bucket.s3.corp", network(undefined, "s3.corp"))).toBe(false);
  expect(refused(address, "evil-s3.corp", network(undefined, "s3.corp"))).toBe(true);
  expect(refused(address, "elsewhere.example", network(undefined, "siem.corp"))).toBe(true);
  expect(refused(address, "siem.corp", network(false, "siem.corp"))).toBe(true);
  expect(refused(address, address, network(false, address))).toBe(false);
  expect(refused(address, "elsewhere.example", network(true, "siem.corp"))).toBe(false);
});

test.each(LOOPBACK)("%s must be written out", (address) => {
  expect(refused(address, "siem.corp", network(undefined, "siem.corp"))).toBe(true);
  expect(refused(address, address, network(undefined, address))).toBe(false);
  expect(refused(address, "localhost", network(undefined, "localhost"))).toBe(false);
  expect(refused(address, "localhost", network(undefined, "siem.corp"))).toBe(true);
  expect(refused(address, "siem.corp", network(true, "siem.corp"))).toBe(false);
});

test("a list allows what lies in it and nothing else", () => {
  const given = network(["10.1.0.0/16", "fd12::/16"], "siem.corp", "10.2.0.1");
  expect(["10.1.9.9", "::ffff:10.1.9.9", "fd12::9"].map((one) => refused(one, "siem.corp", given))).toEqual([false, false, false]);
  expect(["10.2.0.1", "fd13::1", "127.0.0.1"].map((one) => refused(one, "siem.corp", given))).toEqual([true, true, true]);
});

test("public addresses are free", () => {
  for (const address of ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
    expect(refused(address, "any.example", network(false))).toBe(false);
});

test("a name of a metadata service, or its address, is not left to a proxy to resolve", () => {
  for (const host of ["metadata.google.internal", "METADATA.google.internal.", "metadata", "169.254.169.254", "[fd00:ec2::254]"])
    expect(hostRefusal(host, network(true, host))).toBeDefined();
  expect(hostRefusal("metadata.example.com", network())).toBeUndefined();
});
