import { expect, test } from "vitest";
import { Gate } from "../broker/gate.js";

const gate = (): Gate =>
  new Gate({
    credentials: [
      { user: "bin-1", kind: "device", hash: "right", publish: [], subscribe: [], publishesFor: [] },
    ],
    verify: async (secret, hash) => secret === hash,
    verifying: 1,
    verifyQueue: 100,
    failuresPerMinute: 3,
    clock: () => 0,
  });

test("wrong secrets from one IPv6 network count together, from IPv4 addresses each by itself", async () => {
  const six = gate();
  for (let n = 1; n <= 3; n += 1)
    expect(await six.check("bin-1", "wrong", `2001:db8:0:7::${n}`)).toBe("wrong-secret");
  expect(await six.check("bin-1", "wrong", "2001:db8:0:7:8::1")).toBe("too-many-failures");
  expect(await six.check("bin-1", "wrong", "2001:db8:0:8::1")).toBe("wrong-secret");

  const four = gate();
  for (let n = 1; n <= 9; n += 1)
    expect(await four.check("bin-1", "wrong", `192.0.2.${n}`)).toBe("wrong-secret");
});
