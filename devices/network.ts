import { isIPv6 } from "node:net";

/**
 * The network that an address counts for where failures are counted: an IPv4 address stands for itself
 * (written inside IPv6 too), of an IPv6 address its first 64 bits count, as `2001:db8:0:7::/64`: whoever
 * is given one of those has all addresses of it (RFC 6177, RFC 4291 section 2.5.4).
 */
export function networkOf(address: string): string {
  const plain = address.replace(/%.*$/, "").replace(/^::ffff:(?=\d+\.)/i, "");
  if (!isIPv6(plain)) return plain;
  const [front = "", back] = plain.toLowerCase().split("::");
  const before = front === "" ? [] : front.split(":");
  const after = back === undefined || back === "" ? [] : back.split(":");
  // An IPv4 address at the end is two groups.
  const length = before.length + after.length + (plain.includes(".") ? 1 : 0);
  const groups = [...before, ...Array<string>(8 - length).fill("0"), ...after];
  const bits = groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${bits.join(":")}::/64`;
}
