import { BlockList, isIP } from "node:net";
import fc from "fast-check";
import { expect, test } from "vitest";
import { parseRange, rangeTest } from "../../../src/core/sigma/address.ts";

function inRange(range: string, address: string): boolean {
  const parsed = parseRange(range);
  if (typeof parsed === "string") throw new Error(parsed);
  return rangeTest(parsed)(address);
}

test("IPv4 membership agrees with the platform's", () => {
  fc.assert(
    fc.property(fc.ipV4(), fc.ipV4(), fc.integer({ min: 0, max: 32 }), (network, address, bits) => {
      const number = network.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
      const base = bits === 0 ? 0 : Math.floor(number / 2 ** (32 - bits)) * 2 ** (32 - bits);
      const start = [24, 16, 8, 0].map((shift) => Math.floor(base / 2 ** shift) % 256).join(".");
      const list = new BlockList();
      list.addSubnet(start, bits, "ipv4");
      expect(inRange(`${start}/${bits}`, address)).toBe(list.check(address, "ipv4"));
      expect(inRange(`${start}/${bits}`, network)).toBe(true);
    }),
  );
});

test("IPv6 addresses in every way of writing agree with the platform's reading", () => {
  fc.assert(
    fc.property(fc.ipV6(), (address) => {
      const own = parseRange(address);
      if (isIP(address) !== 6) return expect(typeof own).toBe("string");
      if (typeof own === "string") throw new Error(`${address} ${own}`);
      expect(own.parts).toHaveLength(8);
      const text = own.parts.map((part) => part.toString(16)).join(":");
      const list = new BlockList();
      list.addAddress(text, "ipv6");
      expect(list.check(address, "ipv6")).toBe(true);
      expect(rangeTest(own)(address)).toBe(true);
      return undefined;
    }),
    { numRuns: 1000 },
  );
});

test("texts that the platform takes for no address are none", () => {
  const soup = fc.string({ unit: fc.constantFrom("1", "0", "f", ":", ".", "25", "::", "G"), maxLength: 14 });
  fc.assert(
    fc.property(soup, (text) => {
      const all4 = rangeTest({ parts: [0, 0], bits: 0 });
      const all6 = rangeTest({ parts: [0, 0, 0, 0, 0, 0, 0, 0], bits: 0 });
      expect(all4(text)).toBe(isIP(text) === 4);
      expect(all6(text)).toBe(isIP(text) === 6);
    }),
    { numRuns: 5000 },
  );
});
