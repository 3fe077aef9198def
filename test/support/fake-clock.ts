import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** What lets a process under test see another wall clock, by libfaketime; the monotonic one stays. Source: libfaketime's README. */
export function fakeClock(settings: Record<string, string>): Record<string, string> {
  const library = readdirSync("/usr/lib")
    .map((name) => join("/usr/lib", name, "faketime/libfaketimeMT.so.1"))
    .find((file) => existsSync(file));
  return { LD_PRELOAD: library ?? "", DONT_FAKE_MONOTONIC: "1", ...settings };
}
