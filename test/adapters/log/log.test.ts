import { expect, test } from "vitest";
import { log, silentLog } from "../../../src/adapters/log/log.ts";
import { fixedSecret } from "../../../src/config/secrets.ts";

function capture(level: "debug" | "info" | "warn" | "error" = "debug") {
  const lines: string[] = [];
  return {
    lines,
    made: log(level, { write: (line: string) => void lines.push(line) }),
    last: () => JSON.parse(lines.at(-1) ?? "{}") as Record<string, unknown>,
  };
}

test("a line is JSON with level, time, service, fields and message", () => {
  const { made, last } = capture();
  made.warn({ source: "a/1", failures: 2 }, "pull failed");
  expect(last()).toMatchObject({ service: "custodes", source: "a/1", failures: 2, msg: "pull failed" });
  expect(Date.parse(String(last()["time"]))).not.toBeNaN();
});

test("lines below the level are not written", () => {
  const { made, lines } = capture("warn");
  made.debug({}, "no");
  made.info({}, "no");
  made.warn({}, "yes");
  made.error({}, "yes");
  expect(lines).toHaveLength(2);
});

test.each(["token", "apiKey", "api_key", "secret", "password", "authorization", "Authorization", "routingKey", "clientSecret"])(
  "the value of %s is never written, wherever it stands",
  (key) => {
    const { made, lines } = capture();
    made.info({ [key]: "VALUE" }, "top");
    made.info({ a: { [key]: "VALUE" } }, "below");
    made.info({ a: { b: { c: { [key]: "VALUE" } } } }, "deep");
    made.info({ a: [{ [key]: ["VALUE"] }] }, "in a list");
    expect(lines).toHaveLength(4);
    for (const line of lines) expect(line).not.toContain("VALUE");
  },
);

test("an error of an HTTP client does not bring its request's headers along", () => {
  const { made, lines } = capture();
  const error = Object.assign(new Error("Request failed"), {
    config: { headers: { Authorization: "Bearer VALUE" } },
    request: { _header: "Authorization: Bearer VALUE" },
  });
  made.error({ error }, "as error");
  made.error({ err: error }, "as err");
  made.error({ cause: { error } }, "below");
  for (const line of lines) {
    expect(line).not.toContain("VALUE");
    expect(line).toContain("Request failed");
  }
});

test("secrets print as such, and circular or huge values do no harm", () => {
  const { made, lines } = capture();
  const circle: Record<string, unknown> = { name: "circle" };
  circle["self"] = circle;
  made.info({ key: fixedSecret("VALUE"), circle, big: 1n, list: Array.from({ length: 10_000 }, () => "x") }, "odd");
  expect(lines).toHaveLength(1);
  expect(lines[0]).not.toContain("VALUE");
  expect(lines[0]!.length).toBeLessThan(20_000);
});

test("text with line ends stays one line", () => {
  const { made, lines } = capture();
  made.info({ text: 'a\nb\r\n{"level":60}' }, "x\ny");
  expect(lines[0]!.trimEnd().split("\n")).toHaveLength(1);
});

test("the silent log takes everything and does nothing", () => {
  for (const level of ["debug", "info", "warn", "error"] as const) expect(silentLog[level]({ a: 1 }, "x")).toBeUndefined();
});
