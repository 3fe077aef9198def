import type { Command } from "commander";
import { say, sayJson } from "./dashboards/client/print.js";
import { openSandbox, testExamples } from "./devices/lorawan/index.js";

/** Adds `codec test`: it works on a folder alone. */
export function addCodecCommands(program: Command): void {
  program
    .command("codec")
    .description("LoRaWAN makers' decoders")
    .command("test")
    .description(
      "run a folder's codecs on their own examples, laid out as in the public device repository (exit code 1 when one differs)",
    )
    .argument("<dir>", "folder with NAME-codec.yaml and the script that it names")
    .option("--json", "the report as JSON")
    .action(async (dir: string, { json }: { json?: boolean }) => {
      const { results, faults } = testExamples(dir, await openSandbox());
      const failed = results.filter(({ differences }) => differences.length > 0);
      if (failed.length > 0 || faults.length > 0) process.exitCode = 1;
      if (json) return sayJson({ results, faults });
      for (const { file, description, differences } of results) {
        say(`${differences.length === 0 ? "passed" : "differs"} ${file}: ${description}`);
        for (const difference of differences) say(`  ${difference}`);
      }
      for (const { file, message } of faults) say(`fault ${file}: ${message}`);
      say(`${results.length - failed.length} of ${results.length} examples passed`);
    });
}
