import type { ServiceTime } from "../../devices/index.js";

/** A span of the wall clock, half-open, epoch milliseconds. */
export interface Span {
  fromMs: number;
  untilMs: number;
}

/** Around `nowMs`, the span in which no device is taken out of service: what was set up by who is in service holds in it. */
export function spanWithoutDecommissioning(devices: Iterable<ServiceTime>, nowMs: number): Span {
  const span: Span = { fromMs: Number.NEGATIVE_INFINITY, untilMs: Number.POSITIVE_INFINITY };
  for (const { decommissioned } of devices) {
    if (decommissioned === undefined) continue;
    if (decommissioned <= nowMs) span.fromMs = Math.max(span.fromMs, decommissioned);
    else span.untilMs = Math.min(span.untilMs, decommissioned);
  }
  return span;
}
