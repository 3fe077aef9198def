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
  const paced = await runLoad(ours.port, loads.take(size.paced, 1), 5_000);
  say(`paced: p50 ${digits(paced.p50)} ms, p99 ${digits(paced.p99)} ms`);
  await ours.until("obieg_pipeline_lag_messages", (lag) => lag === 0);
  const sent = (size.rounds + 1) * size.acknowledge + size.paced;
  const stored = await ours.metric("obieg_values_stored_total");
  if (stored !== sent) throw new Error(`${stored} values stored of ${sent} acknowledged`);
  await bare.stop();
  await ours.stop();
  folder.remove();
  const [a, b] = [median(rates.bare), median(rates.ours)];
  return [
    figure(
      "acknowledged, of bare aedes' rate",
      b / a,
      { least: 0.9, unit: "x" },
      `${digits(b / a)}x (${digits(b)} of ${digits(a)} a second)`,
    ),
    figure(
      "paced at 5,000 a second: p50, p99 to PUBACK",
      paced.p99,
      { most: 10, unit: "ms" },
      `${digits(paced.p50)} ms, ${digits(paced.p99)} ms`,
    ),
  ];
}
