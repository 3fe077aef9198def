import { execFileSync } from "node:child_process";
import { runLoad } from "./generator.js";
import { digits, figure, type Figure, median } from "./report.js";
import type { Size } from "./size.js";
import { makeFolder, startBare, startService } from "./target.js";
import { Workloads } from "./workload.js";

/** The acknowledge path beside a bare aedes, alternating; then paced. */
export async function measureAcknowledging(size: Size, say: (text: string) => void): Promise<Figure[]> {
  const folder = makeFolder();
  const [bare, ours] = [await startBare(), await startService(folder)];
  const loads = new Workloads();
  const rates: { bare: number[]; ours: number[] } = { bare: [], ours: [] };
  for (let round = 0; round <= size.rounds; round += 1) {
    const load = loads.take(size.acknowledge, 1);
    const a = (await runLoad(bare.port, load)).perSecond;
    const b = (await runLoad(ours.port, load)).perSecond;
    await ours.until("obieg_pipeline_lag_messages", (lag) => lag === 0);
    say(`acknowledged a second${round === 0 ? ", warming up" : ""}: bare ${digits(a)}, ours ${digits(b)}`);
    if (round === 0) continue;
    rates.bare.push(a);
    rates.ours.push(b);
  }
  const paced: { p50: number; p99: number }[] = [];
  for (let round = 0; round < size.rounds; round += 1) {
    // What the runs before wrote goes to the disk first: a sync of this one would wait for it.
    execFileSync("sync");
    const { p50, p99 } = await runLoad(ours.port, loads.take(size.paced, 1), 5_000);
    say(`paced: p50 ${digits(p50)} ms, p99 ${digits(p99)} ms`);
    await ours.until("obieg_pipeline_lag_messages", (lag) => lag === 0);
    paced.push({ p50, p99 });
  }
  const sent = (size.rounds + 1) * size.acknowledge + size.rounds * size.paced;
  const stored = await ours.metric("obieg_values_stored_total");
  if (stored !== sent) throw new Error(`${stored} values stored of ${sent} acknowledged`);
  await bare.stop();
  await ours.stop();
  folder.remove();
  const [a, b] = [median(rates.bare), median(rates.ours)];
  const [p50, p99] = [median(paced.map((run) => run.p50)), median(paced.map((run) => run.p99))];
  return [
    figure(
      "acknowledged, of bare aedes' rate",
      b / a,
      { least: 0.9, unit: "x" },
      `${digits(b / a)}x (${digits(b)} of ${digits(a)} a second)`,
    ),
    figure(
      "paced at 5,000 a second: p50, p99 to PUBACK",
      p99,
      { most: 10, unit: "ms" },
      `${digits(p50)} ms, ${digits(p99)} ms`,
    ),
  ];
}
