#!/usr/bin/env -S MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=131072 node --max-semi-space-size=2 --v8-pool-size=1
import { startWorksThread } from "./threads.js";

const informs = new Set(["-h", "--help", "-V", "--version"]);

/** True when the arguments can mean nothing but a start of the service. */
function isStart(given: readonly string[]): boolean {
  const [first = "start"] = given;
  return (first === "start" || first.startsWith("-")) && !given.some((argument) => informs.has(argument));
}

// Loading is the longest part of a start: the works load on their own core beside everything else.
const works = isStart(process.argv.slice(2)) ? startWorksThread() : undefined;
const { runProgram } = await import("./program.js");
await runProgram(works);
