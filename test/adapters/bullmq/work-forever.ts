/** Takes jobs of the queue `pull`, prints each one's number and never ends it: `work-forever.ts <lockMs> <pglite dir | postgres url | redis url>`. */
import { bullmqQueue, type QueueLocation } from "../../../src/adapters/bullmq/queue.ts";
import { openStore } from "../../../src/adapters/postgres/open.ts";
import { keptLog } from "../../contract/queue.ts";

const [lockMs = "", place = "", fill = ""] = process.argv.slice(2);
const queue = await bullmqQueue(await location(place), { log: keptLog(), lockMs: Number(lockMs) });
if (fill !== "") for (let n = 0; n < Number(fill); n++) await queue.add("pull", { n }, { deduplicate: `key${n}` });
await queue.work(
  "pull",
  async (job) => {
    console.log(String(job.data["n"]));
    await new Promise(() => setInterval(() => undefined, 60_000));
  },
  { concurrency: 2 },
);

async function location(text: string): Promise<QueueLocation> {
  if (text.startsWith("redis:")) return { kind: "redis", url: text };
  const opened = await openStore(text.startsWith("postgres:") ? { kind: "postgres", url: text } : { kind: "pglite", dataDir: text });
  return { kind: "postgres", pool: opened.pool };
}
