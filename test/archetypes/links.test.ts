import { expect, test } from "vitest";
import { linkTexts, proven, serviceAccountName, spiffeServiceAccount } from "../../src/archetypes/links.ts";
import { LINKS_MAX, parseLink } from "../../src/core/identity/links.ts";

test("a link is told as it can be read again, and only when both keys are there", () => {
  const [text] = linkTexts([proven(["cred", "k"], ["role", "r"], { since: 1, until: 2, ends: true })]) ?? [];
  expect(parseLink(text!)).toEqual({ from: "cred:k", to: "role:r", since: 1, until: 2, ends: true });
  expect(linkTexts([proven(["cred", undefined], ["role", "r"]), proven(["cred", "k"], ["role", ""]), undefined])).toBeUndefined();
  expect(linkTexts([proven(["sa", "x"], ["sa", "x"])])).toBeUndefined();
  expect(linkTexts([proven(["cred", "a\tb"], ["role", "r"])])).toBeUndefined();
});

test("the same link counts once, and of too many the first are kept", () => {
  const link = (n: number) => proven(["cred", `k${n}`], ["role", "r"]);
  expect(linkTexts([link(1), link(1)])).toHaveLength(1);
  const many = linkTexts(Array.from({ length: LINKS_MAX + 5 }, (_, n) => link(n)));
  expect(many).toHaveLength(LINKS_MAX);
  expect(many?.[0]).toContain("cred:k0");
});

test("the service account of a SPIFFE id is told when it has Istio's form", () => {
  expect(spiffeServiceAccount("spiffe://corp.example/ns/agents/sa/bot")).toBe("system:serviceaccount:agents:bot");
  for (const other of ["spiffe://corp.example/host/a", "spiffe://corp.example/ns/agents/sa/bot/x", "ns/agents/sa/bot", undefined])
    expect(spiffeServiceAccount(other)).toBeUndefined();
  expect(serviceAccountName("a", undefined)).toBeUndefined();
});
