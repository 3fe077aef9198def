import type { Command } from "commander";
import { addCodecCommands } from "./codec-commands.js";
import { addFileCommands, addJournalCommands, addSimulateCommand } from "./commands.js";
import { addClientCommands } from "./dashboards/commands.js";
import { addRecoveryCommands } from "./recovery-commands.js";

/** Adds every command beside `start`. */
export function addCommands(program: Command): void {
  addFileCommands(program);
  addJournalCommands(program);
  addCodecCommands(program);
  addRecoveryCommands(program);
  addSimulateCommand(program);
  addClientCommands(program);
}
