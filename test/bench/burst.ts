import { runBacklog } from "./backlog.js";
import { runLoad } from "./generator.js";
import { startReceiver } from "./receiver.js";
import { digits, figure, type Figure, median, note } from "./report.js";
import type { Size } from "./size.js";
import { makeFolder, startBare, startService, type Target } from "./target.js";
import { cpuBetween, cpuOf, type CpuShares, memoryOf } from "./usage.js";
import { Workloads } from "./workload.js";

/** What one burst came to; CPU seconds per 100,000 messages. */
interface Burst {
  /** Messages a second from the first one's leaving until all can be queried. */
  perSecond: number;
  acknowledgedPerSecond: number;
  cpu: CpuShares;
  generatorCpu: number;
  peakMb: number;
  /** From the first message's leaving until the sink has all, of the time until all can be queried. */
  sinkTimes: number;
}

/** Publishes a burst of messages with five values each and waits until all can be queried, and the sink has them. */
async function runBurst(messages: number, withSink: boolean): Promise<Burst> {
  const folder = makeFolder();
  const receiver = withSink ? await startReceiver() : undefined;
  const target = await startService(folder, receiver ? { influx: receiver.url } : {});
  try {
    const before = cpuOf(target.pid);
    const report = await runLoad(target.port, new Workloads().take(messages, 5));
    await target.until("obieg_values_stored_total", (stored) => stored >= messages * 5);
    const seconds = (Date.now() - report.startedMs) / 1_000;
    const per = 100_000 / messages;
    const cpu = cpuBetween(before, cpuOf(target.pid), per);
    const { peak } = memoryOf(target.pid);
    await checkAccounts(target, messages);
    let sinkTimes = Number.NaN;
    if (receiver) {
      await target.until('obieg_sink_lag_values{sink="influxdb"}', (lag) => lag === 0);
      const { points, values, lastMs } = await receiver.counts();
      if (values !== messages * 5 || points !== messages)
        throw new Error(`the sink has ${values} values in ${points} points of ${messages} messages`);
      sinkTimes = (lastMs - report.startedMs) / 1_000 / seconds;
    }
    return {
      perSecond: messages / seconds,
      acknowledgedPerSecond: report.perSecond,
      cpu,
      generatorCpu: report.cpuSeconds * per,
      peakMb: Math.max(peak, memoryOf(target.pid).peak),
      sinkTimes,
    };
  } finally {
    await target.stop();
    await receiver?.stop();
    folder.remove();
  }
}

/** Throws unless the ledger balances, says that all was stored, and history holds the rows. */
async function checkAccounts(target: Target, messages: number): Promise<void> {
  const { items } = JSON.parse(await target.get("/api/v1/ledger?limit=10000")) as {
    items: { balanced: boolean; messages: { received: number }; values: { stored: number } }[];
  };
  const received = items.reduce((sum, account) => sum + account.messages.received, 0);
  const stored = items.reduce((sum, account) => sum + account.values.stored, 0);
  if (stored !== messages * 5 || received !== messages || items.some(({ balanced }) => !balanced))
    throw new Error(`the ledger says ${received} messages and ${stored} values of ${messages} messages`);
  const iso = (ms: number): string => new Date(ms).toISOString();
  for (const quantity of ["fill_percent", "rssi_dbm"]) {
    const range = `from=${iso(Date.now() - 86_400_000)}&to=${iso(Date.now() + 86_400_000)}&step=hour`;
    const series = JSON.parse(
      await target.get(`/api/v1/series?place=krakow/load&quantity=${quantity}&${range}`),
    ) as { items: { count: number }[] };
    const rows = series.items.reduce((sum, point) => sum + point.count, 0);
    if (rows !== messages) throw new Error(`history holds ${rows} rows of ${quantity} of ${messages}`);
  }
}

const cpuText = ({ door, works, others }: CpuShares, generator: number): string =>
  `door ${digits(door)}, works ${digits(works)}, DuckDB and others ${digits(others)}, generator ${digits(generator)}`;

/** What is measured side by side, one after another; the machine's own speed drifts over minutes. */
interface Round {
  /** Of bare aedes before each burst, messages a second. */
  bare: number[];
  sunk: Burst;
  plain: Burst;
  /** The mean of one before the bursts and one after them, messages a second. */
  backlog: number;
}

/** Rounds of a burst with the sink and one without, each beside a bare aedes, between two backlogs at a start; then memory at a smaller size. */
export async function measureBurst(size: Size, say: (text: string) => void): Promise<Figure[]> {
  const bare = await startBare();
  const loads = new Workloads();
  const measureBare = async (): Promise<number> =>
    (await runLoad(bare.port, loads.take(size.acknowledge, 1))).perSecond;
  const measureOne = async (withSink: boolean): Promise<Burst> => {
    const burst = await runBurst(size.burst, withSink);
    say(
      `burst${withSink ? " with sink" : ""}: ${digits(burst.perSecond)} a second, CPU ${digits(burst.cpu.total)} (${cpuText(burst.cpu, burst.generatorCpu)}), ${digits(burst.peakMb)} MB`,
    );
    return burst;
  };
  const measureBacklog = async (): Promise<number> => {
    const perSecond = await runBacklog(size.backlog);
    say(`backlog: ${digits(perSecond)} a second`);
    return perSecond;
  };
  await measureBare();
  let backlogBefore = await measureBacklog();
  const rounds: Round[] = [];
  for (let n = 0; n < size.rounds; n += 1) {
    const before = await measureBare();
    const sunk = await measureOne(true);
    const between = await measureBare();
    const plain = await measureOne(false);
    const backlogAfter = await measureBacklog();
    rounds.push({ bare: [before, between], sunk, plain, backlog: (backlogBefore + backlogAfter) / 2 });
    backlogBefore = backlogAfter;
  }
  await bare.stop();
  return figuresOf(size, rounds, await runBurst(size.smallBurst, false));
}

function figuresOf(size: Size, rounds: readonly Round[], small: Burst): Figure[] {
  const of = (part: (round: Round) => number): number => median(rounds.map(part));
  const plain = rounds.map((round) => round.plain);
  const [typical] = plain.toSorted((a, b) => a.cpu.total - b.cpu.total).slice(plain.length >> 1);
  /** A ratio of each round's own, and the median rate. */
  const beside = (times: number, rate: number): string => `${digits(times)}x (${digits(rate)} a second)`;
  const ofBare = of(({ plain: { perSecond }, bare: [, between = Number.NaN] }) => perSecond / between);
  const ofPlain = of((round) => round.sunk.perSecond / round.plain.perSecond);
  const ofLive = of((round) => round.backlog / round.plain.perSecond);
  const what = `burst of ${size.burst.toLocaleString("en")} messages of 5 values`;
  return [
    figure(
      `${what}, published to queryable, of bare aedes' rate`,
      ofBare,
      { least: 0.35, unit: "x" },
      `${digits(ofBare)}x (${digits(of((round) => round.plain.perSecond))} of ${digits(of((round) => median(round.bare)))} a second)`,
    ),
    note("acknowledged meanwhile", `${digits(of((round) => round.plain.acknowledgedPerSecond))} a second`),
    figure("CPU seconds per 100,000 messages, all threads", typical?.cpu.total ?? Number.NaN, { most: 3 }),
    note("of these", typical ? cpuText(typical.cpu, typical.generatorCpu) : ""),
    figure(
      "the same burst with an InfluxDB sink: rate to queryable, of that without",
      ofPlain,
      { least: 0.85, unit: "x" },
      beside(
        ofPlain,
        of((round) => round.sunk.perSecond),
      ),
    ),
    figure(
      "time until the sink has all, of the time until all is queryable",
      of((round) => round.sunk.sinkTimes),
      { most: 2, unit: "x" },
      `${digits(of((round) => round.sunk.sinkTimes))}x`,
    ),
    note("CPU seconds per 100,000 messages with the sink", digits(of((round) => round.sunk.cpu.total))),
    figure(
      `largest memory, door and works together: at ${size.burst.toLocaleString("en")} messages`,
      Math.max(...plain.map((burst) => burst.peakMb)),
      { most: 300, unit: "MB" },
    ),
    note(
      `at ${size.smallBurst.toLocaleString("en")}; with the sink at ${size.burst.toLocaleString("en")}`,
      `${digits(small.peakMb)} MB; ${digits(Math.max(...rounds.map((round) => round.sunk.peakMb)))} MB`,
    ),
    figure(
      `a backlog of ${size.backlog.toLocaleString("en")} messages after a restart, of the live rate`,
      ofLive,
      { least: 1, unit: "x" },
      beside(
        ofLive,
        of((round) => round.backlog),
      ),
    ),
  ];
}
