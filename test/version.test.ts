import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { runObieg } from "./support/command-line.js";

test("the command says which version it is", async () => {
  const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
  expect(await runObieg(["--version"])).toMatchObject({ code: 0, stdout: `${version}\n` });
});
