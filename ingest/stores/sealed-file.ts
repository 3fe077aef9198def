import { literal } from "./sql.js";

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
    from read_parquet([${files.map(literal).join(",")}]))`;
}

/**
 * The query that a sealed file is written from: `source` gives the columns of {@link sealedTable}.
 * Decimal numbers stand as whole ones with what they are to be divided by, the same for a series' whole day, so that
 * neighbours differ in few bits; a number that division wouldn't give back exactly stands as a double.
 */
export function sealedColumns(source: string): string {
  const divisors = Array.from({ length: mostDecimals + 1 }, (_, decimals) => 10 ** decimals);
  const isExact = (divisor: number | string): string =>
    `abs(value) * ${divisor} < ${exactBelow} and round(value * ${divisor}) / ${divisor} = value`;
  const least = divisors.map((divisor) => `when ${isExact(divisor)} then ${divisor}`).join(" ");
  return `with rows as (${source}),
    dividers as (select device, quantity, attributes, coalesce(max(case ${least} end), 1)::integer as divisor from rows group by all)
    select device, quantity, unit, "time", case when ${isExact("divisor")} then round(value * divisor)::bigint end as scaled, divisor,
      case when ${isExact("divisor")} then null else value end as value, attributes, received_delay_ms
    from rows join dividers using (device, quantity, attributes)
    order by quantity, device, attributes, "time"`;
}
