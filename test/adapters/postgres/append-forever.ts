/** Appends batches until it is killed, and prints each one's number after its commit: `append-forever.ts <writer> <pglite dir | postgres url> [batches]`. */
import { openStore } from "../../../src/adapters/postgres/open.ts";
import { event } from "../../contract/subjects.ts";

const BATCH = 40;
const [writer = "w", place = "", batches = "1000000"] = process.argv.slice(2);
const { store } = await openStore(place.startsWith("postgres:") ? { kind: "postgres", url: place } : { kind: "pglite", dataDir: place });
console.log("open");
const known = await store.offset(writer);
for (let batch = known ?? 0; batch < Number(batches); batch++) {
  await store.transaction(async (tx) => {
    await tx.appendEvents(
      writer,
      Array.from({ length: BATCH }, (_, index) => event(`${writer}:${batch}:${index}`, batch)),
    );
    await tx.moveOffset(writer, batch === 0 ? null : batch, batch + 1);
  });
  console.log(String(batch));
}
await store.close();
