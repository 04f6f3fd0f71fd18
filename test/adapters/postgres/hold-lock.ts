/** Locks a directory, says what came of it, and stays until it is killed: `hold-lock.ts <directory>`. */
import { lockDirectory } from "../../../src/adapters/postgres/lock.ts";
import { Failure } from "../../../src/core/errors.ts";

try {
  lockDirectory(process.argv[2] ?? "");
  console.log("locked");
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  console.log(error.code);
}
setInterval(() => undefined, 60_000);
