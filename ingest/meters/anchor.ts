import type { Span } from "./life.js";
import { canShow, type Reading, stepBetween } from "./reading.js";

/** Readings of a plain run that are believed wherever the register was thought to stand: a jump or a fall needs three that agree. */
const convincing = 3;
/**
 * Steps of the last digit that a run must rise by, twice. A reading up to six steps above a run's first may be what was believed, of
 * which readings that fell by two steps each have taken nothing back; only what is more than two above it does: more than eight, and
 * what binary fractions may hide.
 */
const rising = 5;

/**
 * The earliest time from which a run over these readings alone stands as a run over all readings of the meter would, whatever
 * came before `fromMs`; undefined when they don't show one.
 * Shape: `readings` in order, all there are of the half-open range; `spans` those of the meter's life.
 *
 * A register's first reading is such a point. So is the end of a plain run: after three readings that follow one another the
 * register is believed to stand there, or within a few steps of it, at the latest; and once it has risen clear of those, what was
 * believed before can't be taken back any more.
 */
export function anchorIn(
  spans: readonly Span[],
  readings: readonly Reading[],
  { fromMs, toMs }: { fromMs: number; toMs: number },
): number | undefined {
  for (const span of spans) {
    if (span.fromMs >= toMs) break;
    const own = readings.filter(({ timeMs }) => timeMs >= span.fromMs && timeMs < span.toMs);
    const found = span.fromMs >= fromMs ? beginningOf(span, own) : endOfPlainRun(span, own);
    if (found !== undefined) return found;
  }
  return undefined;
}

function beginningOf({ register, start }: Span, own: readonly Reading[]): number | undefined {
  return (start ?? own.find(({ value }) => canShow(register, value)))?.timeMs;
}

function endOfPlainRun({ register }: Span, own: readonly Reading[]): number | undefined {
  const enough = rising * register.resolution;
  let run: Reading[] = [];
  let believed: Reading | undefined;
  let latestMs = Number.NEGATIVE_INFINITY;
  for (const reading of own) {
    if (reading.timeMs === latestMs) continue;
    latestMs = reading.timeMs;
    if (!canShow(register, reading.value)) continue;
    const last = run.at(-1);
    const first = run[0] ?? reading;
    const isPlain =
      last !== undefined &&
      last.epoch === reading.epoch &&
      stepBetween(register, last, reading)?.kind === "normal";
    if (!isPlain) {
      [run, believed] = [[reading], undefined];
      continue;
    }
    run.push(reading);
    if (believed && reading.value - believed.value > enough) return reading.timeMs;
    if (!believed && run.length >= convincing && reading.value - first.value > enough) believed = reading;
  }
  return undefined;
}
