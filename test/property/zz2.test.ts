import { test } from "vitest";
import { play } from "./vendor-history.ts";
test("all", async () => {
  (globalThis as any).DBG = true;
  const o = await play("numbered", Number(process.env.SEED));
  console.log(o.problems.slice(0,5));
});
