import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { makeFolder, startService } from "./target.js";

/**
 * Messages a second at which a backlog goes that waits in the journal at a start, five values each.
 * Counted from the first answer of the started service. Throws unless the ledger says that every value was stored.
 */
export async function runBacklog(messages: number): Promise<number> {
  const folder = makeFolder();
  const script = fileURLToPath(new URL("./backlog-process.js", import.meta.url));
  await (await startService(folder)).stop();
  await promisify(execFile)(process.execPath, [script, folder.data, String(messages)]);
  const target = await startService(folder);
  try {
    const waiting = await target.metric("obieg_pipeline_lag_messages");
    const begun = performance.now();
    await target.until("obieg_pipeline_lag_messages", (lag) => lag === 0);
    const perSecond = (waiting / (performance.now() - begun)) * 1_000;
    const { items } = JSON.parse(await target.get("/api/v1/ledger?limit=10000")) as {
      items: { values: { stored: number } }[];
    };
    const stored = items.reduce((sum, { values }) => sum + values.stored, 0);
    if (stored !== messages * 5) throw new Error(`the ledger says ${stored} values of the backlog`);
    return perSecond;
  } finally {
    await target.stop();
    folder.remove();
  }
}
