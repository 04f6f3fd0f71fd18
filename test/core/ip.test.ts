import { isIP } from "node:net";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isIp, isPrivateIp, looksLikeIp } from "../../src/core/ip.ts";

describe("isIp", () => {
  test.each([
    "10.0.0.1",
    "255.255.255.255",
    "0.0.0.0",
    "::",
    "::1",
    "2001:db8::1",
    "2001:0db8:0:0:0:0:0:1",
    "::ffff:10.0.0.1",
    "fe80::1:2:3:4",
    "1::",
  ])("%s is an address", (text) => {
    expect(isIp(text)).toBe(true);
  });
  test.each([
    "",
    "-",
    "256.1.1.1",
    "1.2.3",
    "1.2.3.4.5",
    "1..2.3",
    "1.2.3.",
    "a.b.c.d",
    "AWS Internal",
    "ec2.amazonaws.com",
    ":",
    ":::",
    "1::2::3",
    "12345::1",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "g::1",
    "::ffff:10.0.0.256",
    "10.0.0.1:443",
    "[::1]:443",
  ])("%s is none", (text) => {
    expect(isIp(text)).toBe(false);
  });
  test("agrees with the platform on every address it can print", () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        expect(isIp(text)).toBe(isIP(text) !== 0);
      }),
    );
  });
  test("takes nothing for an address that the platform does not", () => {
    const near = fc.stringMatching(/^[0-9a-f:.]{1,24}$/);
    fc.assert(
      fc.property(near, (text) => isIp(text) === (isIP(text) !== 0)),
      { numRuns: 20_000 },
    );
  });
});

describe("looksLikeIp", () => {
  test("takes every address, and those with numbers that no address has", () => {
    fc.assert(fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => looksLikeIp(text)));
    expect(looksLikeIp("10.20.0.257")).toBe(true);
  });
  test.each(["", "-", "1.2.3", "1.2.3.4.5", "1..2.3", "1.2.3.", "1000.1.1.1", "a.b.c.d", "AWS Internal", "10.0.0.1:443"])(
    "%s is none",
    (text) => {
      expect(looksLikeIp(text)).toBe(false);
    },
  );
});

describe("isPrivateIp", () => {
  test.each([
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "127.0.0.1",
    "169.254.1.1",
    "::1",
    "fd00::1",
    "fe80::1",
  ])("%s is never routed on the internet", (ip) => {
    expect(isPrivateIp(ip)).toBe(true);
  });
  test.each(["172.15.0.1", "172.32.0.1", "100.63.0.1", "100.128.0.1", "198.18.0.1", "8.8.8.8", "2001:db8::1", "::ffff:8.8.8.8"])(
    "%s is routed",
    (ip) => {
      expect(isPrivateIp(ip)).toBe(false);
    },
  );
});
