// Fills the journal of a service that doesn't run: messages that were acknowledged and not processed when it ended.
import { join } from "node:path";
import { runOf } from "../../devices/index.js";
import { openJournal } from "../../ingest/journal/index.js";
import { login } from "./generator.js";
import { messageOf, Workloads } from "./workload.js";

const [data = "", messages = "0"] = process.argv.slice(2);
const silent = (): undefined => undefined;
const journal = await openJournal({
  dir: join(data, "journal"),
  archiveDir: join(data, "archive"),
  segmentBytes: 2 ** 26,
  maxBytes: 2 ** 32,
  archive: { maxDays: 30, maxBytes: 2 ** 32 },
  clock: Date.now,
  log: { info: silent, warn: silent, error: silent },
});
const load = new Workloads().take(Number(messages), 5);
const chunk = 10_000;
/** Messages that come together, as the front door takes them from a busy connection. */
const runLength = 100;
for (let from = 0; from < load.messages; from += chunk) {
  const count = Math.min(chunk, load.messages - from);
  await new Promise<void>((resolve, reject) => {
    let left = count;
    for (let n = from; n < from + count; n += runLength) {
      const size = Math.min(runLength, from + count - n);
      const runs = Array.from({ length: size }, (_, at) => {
        const { topic, payload } = messageOf(load, n + at);
        const raw = { user: login.user, clientId: "backlog", qos: 1 as const, receivedMs: Date.now() };
        return runOf({ ...raw, topic, payload: Buffer.from(payload) });
      });
      const bytes = Buffer.concat(runs.map((run) => run.bytes));
      const [head] = runs;
      if (!head) return;
      journal.append({ ...head, bytes, end: bytes.length, count: size }, (error) => {
        if (error) reject(error);
        else if ((left -= size) === 0) resolve();
      });
    }
  });
}
await journal.close();
