import { literal, parquetTable } from "./sql.js";

/** Most decimals that a series' day is scaled by; what has more stands as it is. */
const mostDecimals = 6;
/** Whole numbers below this are scaled and divided without a rounding fault. */
const exactBelow = 1e15;

/** How a sealed file is written; measured in README. */
export const sealedFormat =
  "(format parquet, parquet_version v2, compression zstd, compression_level 15, row_group_size 122880)";

/** Rows of sealed files as a table: device, quantity, unit, time, value, attributes, received_delay_ms. */
export function sealedTable(files: readonly string[]): string {
  return `(select device, quantity, unit, "time", coalesce(scaled / divisor, value) as value, attributes, received_delay_ms
    from ${parquetTable(files)})`;
}

const isExact = (divisor: number | string): string =>
  `abs(value) * ${divisor} < ${exactBelow} and round(value * ${divisor}) / ${divisor} = value`;

const divisors = Array.from({ length: mostDecimals + 1 }, (_, decimals) => 10 ** decimals);

/** The sum over a series' day (of its column `value`) that gives what its decimals are to be divided by, from 1 to 10^6. */
export const divisorSum = `coalesce(max(case ${divisors.map((divisor) => `when ${isExact(divisor)} then ${divisor}`).join(" ")} end), 1)::integer`;

/**
 * The query that a sealed file is written from: `source` gives the columns of {@link sealedTable}, and `divisor`, one for a series' day.
 * Decimal numbers stand as whole ones with what they are to be divided by, so that neighbours differ in few bits; a number that
 * division wouldn't give back exactly stands as a double.
 */
export function sealedColumns(source: string): string {
  return `select device, quantity, unit, "time", case when ${isExact("divisor")} then round(value * divisor)::bigint end as scaled, divisor,
      case when ${isExact("divisor")} then null else value end as value, attributes, received_delay_ms
    from (${source})`;
}

/** A place in the order of sealed files. */
export interface Place {
  quantity: string;
  device: string;
}

/** A stretch of that order, both ends included. */
export interface Stretch {
  from: Place;
  to: Place;
}

/** A condition that only rows of a stretch fulfil; written so that row groups beside it aren't read. */
export function inStretch({ from, to }: Stretch): string {
  const [first, last] = [literal(from.device), literal(to.device)];
  const quantities = `quantity between ${literal(from.quantity)} and ${literal(to.quantity)}`;
  if (from.quantity === to.quantity) return `${quantities} and device between ${first} and ${last}`;
  return `${quantities} and (quantity > ${literal(from.quantity)} or device >= ${first}) and (quantity < ${literal(to.quantity)} or device <= ${last})`;
}
