import { afterAll, beforeAll, expect, test } from "vitest";
import { secrets, testCity } from "./support/city.js";
import { type Obieg, removeFolder, startObieg } from "./support/obieg.js";

let obieg: Obieg;
beforeAll(async () => {
  const config = "http: { open: true, trustProxy: [loopback] }\n";
  obieg = await startObieg({ city: testCity(), env: secrets, config });
});
afterAll(async () => {
  await obieg.stop();
  removeFolder(obieg.dir);
});

test("what a city opens is seen by anybody, and nothing else", async () => {
  const status = async (path: string): Promise<number> =>
    (await fetch(`${obieg.httpUrl}/api/v1${path}`)).status;
  expect(await status("/places")).toBe(200);
  expect(await status("/quantities")).toBe(200);
  expect(await status("/devices")).toBe(401);
  expect(await status("/audit")).toBe(401);
});

test("behind a proxy that is told of, each of its clients is known by its own address", async () => {
  const logIn = (from: string, password: string): Promise<Response> =>
    fetch(`${obieg.httpUrl}/api/v1/session`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "x-forwarded-for": from,
        "x-forwarded-proto": "https",
      },
      body: JSON.stringify({ user: "nobody", password }),
    });
  for (let n = 0; n < 9; n += 1) expect((await logIn("10.1.2.3", "wrong")).status).toBe(401);
  const answer = await fetch(`${obieg.httpUrl}/api/v1/session`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-forwarded-for": "10.9.9.9",
      "x-forwarded-proto": "https",
    },
    body: JSON.stringify({ user: "admin", password: "a long enough password" }),
  });
  expect(answer.status).toBe(200);
  expect(answer.headers.get("set-cookie")).toContain("Secure");
  const { items } = (await obieg.api("/api/v1/audit")).body as {
    items: { action: string; address: string }[];
  };
  expect(items.filter(({ action }) => action === "session.refused").map(({ address }) => address)).toEqual(
    Array.from({ length: 9 }, () => "10.1.2.3"),
  );
  expect(items.find(({ address }) => address === "10.9.9.9")?.action).toMatch(/^session\./);
});
