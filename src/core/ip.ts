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

/** Whether a text is an IPv4 or IPv6 address; logs put host names and service names into address fields too. */
export function isIp(text: string): boolean {
  return text.includes(":") ? isIpv6(text) : isIpv4(text);
}

function isIpv4(text: string): boolean {
  let parts = 0;
  let value = 0;
  let digits = 0;
  for (let index = 0; index <= text.length; index++) {
    const code = index === text.length ? DOT : text.charCodeAt(index);
    if (code === DOT) {
      if (digits === 0 || value > 255) return false;
      parts++;
      value = 0;
      digits = 0;
      continue;
    }
    // A leading zero would mean octal to some readers.
    if (code < 48 || code > 57 || (digits > 0 && value === 0)) return false;
    value = value * 10 + code - 48;
    digits++;
  }
  return parts === 4;
}

const DOT = 46;

function isIpv6(text: string): boolean {
  // 45 characters are the longest form, ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255.
  if (text.length > 45) return false;
  const tail = text.slice(text.lastIndexOf(":") + 1);
  const plain = tail.includes(".") && isIpv4(tail) ? `${text.slice(0, -tail.length)}0:0` : text;
  const gap = plain.indexOf("::");
  if (gap === -1) return hexGroups(plain) === 8;
  const left = gap === 0 ? 0 : hexGroups(plain.slice(0, gap));
  const right = gap + 2 === plain.length ? 0 : hexGroups(plain.slice(gap + 2));
  return left + right < 8;
}

/** How many groups of one to four hexadecimal digits, 9 when one is none. */
function hexGroups(text: string): number {
  const groups = text.split(":");
  return groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group)) ? groups.length : 9;
}

/**
 * Whether a text is written like an address, to tell it from the host and service names that logs put into address
 * fields. Numbers of three digits above 255 pass: whatever it is, it still identifies who it belongs to.
 */
export function looksLikeIp(text: string): boolean {
  if (text.includes(":")) return isIpv6(text);
  let dots = 0;
  let digits = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === DOT) {
      if (digits === 0) return false;
      dots++;
      digits = 0;
    } else if (code < 48 || code > 57 || ++digits > 3) return false;
  }
  return dots === 3 && digits > 0;
}
