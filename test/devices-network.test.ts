import { expect, test } from "vitest";
import { networkOf } from "../devices/index.js";

test.each([
  ["192.0.2.7", "192.0.2.7"],
  ["::ffff:192.0.2.7", "192.0.2.7"],
  ["2001:db8:0:7::1", "2001:db8:0:7::/64"],
  ["2001:DB8:0:7:aaaa:bbbb:cccc:dddd", "2001:db8:0:7::/64"],
  ["2001:db8::7:1", "2001:db8:0:0::/64"],
  ["2001:db8:0:7:8::", "2001:db8:0:7::/64"],
  ["::1", "0:0:0:0::/64"],
  ["::", "0:0:0:0::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ["64:ff9b::192.0.2.7", "64:ff9b:0:0::/64"],
  ["1:2:3::192.0.2.7", "1:2:3:0::/64"],
  ["", ""],
])("%s counts for %s", (address, network) => expect(networkOf(address)).toBe(network));
