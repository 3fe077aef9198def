export { readArchive } from "./archive.js";
export { type FileSystem, type JournalFile, nodeFileSystem } from "./file-system.js";
export type { JournalReader, JournalStatus, JournalWriter } from "./port.js";
export { openPastReader } from "./past-reader.js";
export { firstInJournal, openJournalReader } from "./reader.js";
export { type JournalFault } from "./recovery.js";
export { type JournalReport, repairJournal, type RepairReport, verifyJournal } from "./repair.js";
export { type Journal, type JournalOptions, openJournal } from "./writer.js";
