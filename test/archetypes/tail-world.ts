/** A folder of its own per test, and a tail that is driven as the pipeline drives it. */
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { localFiles } from "../../src/adapters/files/local-files.ts";
import { CURSOR_BYTES_MAX } from "../../src/archetypes/cursor.ts";
import { tailSource, type TailConfig } from "../../src/archetypes/tail.ts";
import { jsonLines } from "../../src/core/framing.ts";
import type { Cursor, Page } from "../../src/ports/connector.ts";
import type { Context } from "../../src/ports/context.ts";
import { drain, testContext } from "../contract/source.ts";

/** The test's folder, and how far the clock is ahead of the files. */
export const place = { folder: "", ahead: 0 };

/** Half a minute ahead, so that what lies there is settled. */
export function openFolder(): void {
  place.folder = mkdtempSync(join(tmpdir(), "custodes-tail-"));
  place.ahead = 30_000;
}
export const closeFolder = (): void => rmSync(place.folder, { recursive: true });

export const at = (name: string): string => join(place.folder, name);
export const put = (name: string, content: string | Uint8Array): void => {
  mkdirSync(join(at(name), ".."), { recursive: true });
  writeFileSync(at(name), content);
};
/** Writes a file that was last changed long ago, the earlier the higher `age`. */
export const putOld = (name: string, content: string | Uint8Array, age: number): void => {
  put(name, content);
  utimesSync(at(name), 1_700_000_000 - age, 1_700_000_000 - age);
};
export const line = (value: unknown): string => `${JSON.stringify(value)}\n`;
export const world = (): Context & { readonly logged: string[] } =>
  testContext({ files: localFiles(), now: () => Date.now() + place.ahead });

/** A tail with its cursor, as the pipeline drives it. */
export function tail(config: Partial<TailConfig> = {}): {
  pull(): Promise<unknown[]>;
  pages: Page[];
  cursor: Cursor | null;
  context: ReturnType<typeof world>;
} {
  const source = tailSource({ path: at("a.log"), format: jsonLines, ...config });
  const context = world();
  return {
    context,
    pages: [],
    cursor: null,
    async pull() {
      this.pages = await drain(source, context, this.cursor);
      this.cursor = this.pages.at(-1)?.next ?? null;
      expect(Buffer.byteLength(this.cursor ?? "")).toBeLessThanOrEqual(CURSOR_BYTES_MAX);
      return this.pages.flatMap((page) => page.records.map(({ record }) => record));
    },
  };
}
export const rejects = (pages: readonly Page[]): string[] =>
  pages.flatMap((page) => page.rejects.map(({ code, position }) => `${code} ${position.slice(place.folder.length + 1)}`));
