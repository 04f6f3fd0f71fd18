/** Address questions that attribution and normalizers ask. Text in, no allocation. */

/**
 * Whether an address belongs to a network that is never routed on the internet: RFC 1918, RFC 6598 (100.64/10),
 * loopback, link-local, and their IPv6 counterparts (fc00::/7, fe80::/10, ::1).
 */
export function isPrivateIp(ip: string): boolean {
  if (ip.includes(":")) {
    const lower = ip.toLowerCase();
    const mapped = lower.startsWith("::ffff:") ? lower.slice(7) : undefined;
    if (mapped !== undefined && mapped.includes(".")) return isPrivateIp(mapped);
    return lower === "::1" || lower.startsWith("fc") || lower.startsWith("fd") || /^fe[89ab]/.test(lower);
  }
  if (ip.startsWith("10.") || ip.startsWith("192.168.") || ip.startsWith("127.") || ip.startsWith("169.254.")) return true;
  if (ip.startsWith("172.")) {
    const second = Number.parseInt(ip.slice(4), 10);
    return second >= 16 && second <= 31;
  }
  if (ip.startsWith("100.")) {
    const second = Number.parseInt(ip.slice(4), 10);
    return second >= 64 && second <= 127;
  }
  return false;
}
