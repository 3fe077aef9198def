/** One figure with the bar it is held to. */
export interface Figure {
  what: string;
  measured: string;
  /** As it is shown; "" when nothing is asked. */
  bar: string;
  /** Undefined when nothing is asked. */
  holds: boolean | undefined;
}

/** A bar: at least or at most so much. */
export interface Bar {
  least?: number;
  most?: number;
  unit?: string;
}

/** The middle one; the upper of two. */
export function median(list: readonly number[]): number {
  return percentile(list, 0.5);
}

/** The value below which this share of the list lies; NaN of an empty list. */
export function percentile(list: readonly number[], share: number): number {
  const sorted = list.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** A figure held to a bar. `measured` may say more than the number. */
export function figure(
  what: string,
  value: number,
  bar: Bar,
  measured = `${digits(value)} ${bar.unit ?? ""}`,
): Figure {
  const { least, most, unit = "" } = bar;
  const limit = least ?? most ?? Number.NaN;
  return {
    what,
    measured: measured.trim(),
    bar: `${least === undefined ? "at most" : "at least"} ${digits(limit)}${unit === "x" ? "x" : ` ${unit}`}`.trim(),
    holds: value >= (least ?? Number.NEGATIVE_INFINITY) && value <= (most ?? Number.POSITIVE_INFINITY),
  };
}

/** A figure that nothing is asked of. */
export function note(what: string, measured: string): Figure {
  return { what, measured, bar: "", holds: undefined };
}

/** A number with as many digits as tell something. */
export function digits(value: number): string {
  if (Math.abs(value) >= 1_000) return Math.round(value).toLocaleString("en");
  return String(Number(value.toPrecision(3)));
}

/** The text of `RESULTS.md`. */
export function resultsText(head: string, figures: readonly Figure[]): string {
  const verdict = ({ holds }: Figure): string =>
    holds === undefined ? "" : holds ? "holds" : "**falls short**";
  const rows = figures.map((one) => `| ${one.what} | ${one.measured} | ${one.bar} | ${verdict(one)} |`);
  return `# Results\n\n${head}\n\n| what | measured | bar | verdict |\n| --- | --- | --- | --- |\n${rows.join("\n")}\n`;
}
