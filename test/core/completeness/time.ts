/** A moment written as `2026-03-31T10:00Z`. */
export function at(text: string): number {
  return Date.parse(text);
}
