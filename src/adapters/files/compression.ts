/** How a file is packed, by its first bytes: names lie, and names are lost. */

/** What is unpacked. */
export type Compression = "gzip" | "zstd";

/** Bytes that `compressionIn` and `foreignIn` look at. */
export const MAGIC_BYTES = 10;

/** RFC 1952 section 2.3.1. */
const GZIP = [0x1f, 0x8b];
/** RFC 8878 section 3.1.1; a skippable frame (3.1.2) starts with 0x50 to 0x5f instead, and the same three bytes. */
const ZSTD = [0x28, 0xb5, 0x2f, 0xfd];
const SKIPPABLE_REST = [0x2a, 0x4d, 0x18];

/** Formats that are recognized so that they can be named, with the program that unpacks them to standard output. */
const FOREIGN: readonly { readonly name: string; readonly bytes: readonly number[]; readonly program: string }[] = [
  // "BZh", the block size, and the digits of pi; text may begin with the first three.
  { name: "bzip2", bytes: [0x42, 0x5a, 0x68, -1, 0x31, 0x41, 0x59, 0x26, 0x53, 0x59], program: "bzip2 -dc" },
  { name: "xz", bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], program: "xz -dc" },
  { name: "zip", bytes: [0x50, 0x4b, 0x03, 0x04], program: "unzip -p" },
  { name: "lz4", bytes: [0x04, 0x22, 0x4d, 0x18], program: "lz4 -dc" },
];

/** How the bytes at the start of a file, or behind the end of a frame, are packed. */
export function compressionIn(head: Uint8Array): Compression | undefined {
  if (startsWith(head, GZIP)) return "gzip";
  if (startsWith(head, ZSTD)) return "zstd";
  const first = head[0] ?? 0;
  return first >= 0x50 && first <= 0x5f && startsWith(head.subarray(1), SKIPPABLE_REST) ? "zstd" : undefined;
}

/** Whether the path's name says that the file is compressed: it is then followed as an archive, whatever is in it. */
export function isArchiveName(path: string): boolean {
  return path.endsWith(".gz") || path.endsWith(".zst");
}

/** A format that is not read, and what unpacks it. */
export function foreignIn(head: Uint8Array): { readonly name: string; readonly program: string } | undefined {
  return FOREIGN.find(({ bytes }) => startsWith(head, bytes));
}

function startsWith(head: Uint8Array, bytes: readonly number[]): boolean {
  return head.length >= bytes.length && bytes.every((byte, index) => byte === -1 || head[index] === byte);
}
