/** The header `Authorization` for `user:password`, as UTF-8 (RFC 7617). */
export function basicAuth(userAndPassword: string): string {
  const bytes = new TextEncoder().encode(userAndPassword);
  return `Basic ${btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""))}`;
}
