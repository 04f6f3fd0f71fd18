/** COPY FROM STDIN over node-postgres, which has no such call itself but lets a query object speak the protocol. */
import type { Connection, PoolClient, Submittable } from "pg";

/** One message of COPY data; larger ones gain nothing, and the protocol's limit is 1 GiB. */
const CHUNK_BYTES = 1_048_576;

/** Loads text rows into `target`, `table(column, …)`. Errors are the driver's own. */
export function copyIn(client: PoolClient, target: string, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    client.query(new CopyIn(`copy ${target} from stdin`, text, resolve, reject));
  });
}

/** The calls that node-postgres makes on the query that is running; only those that COPY IN can cause do something. */
class CopyIn implements Submittable {
  readonly #sql: string;
  readonly #text: string;
  readonly #resolve: () => void;
  readonly #reject: (error: unknown) => void;
  #failed = false;

  constructor(sql: string, text: string, resolve: () => void, reject: (error: unknown) => void) {
    this.#sql = sql;
    this.#text = text;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  submit(connection: Connection): void {
    connection.query(this.#sql);
  }

  handleCopyInResponse(connection: Connection & CopyConnection): void {
    const bytes = Buffer.from(this.#text, "utf8");
    for (let start = 0; start < bytes.length; start += CHUNK_BYTES)
      connection.sendCopyFromChunk(bytes.subarray(start, start + CHUNK_BYTES));
    connection.endCopyFrom();
  }

  handleCommandComplete(): void {
    // The server has taken the rows; handleReadyForQuery says that it can take the next statement.
  }

  handleReadyForQuery(): void {
    if (!this.#failed) this.#resolve();
  }

  handleError(error: unknown): void {
    this.#failed = true;
    this.#reject(error);
  }
}

/** What @types/pg leaves out of Connection. */
interface CopyConnection {
  sendCopyFromChunk(chunk: Uint8Array): void;
  endCopyFrom(): void;
}
