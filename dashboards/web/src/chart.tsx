import { BarChart, LineChart } from "echarts/charts";
import { AriaComponent, GridComponent, TooltipComponent } from "echarts/components";
import { type ECharts, init, use as useParts } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import { type ReactNode, useEffect, useRef } from "react";
import type { Quantity } from "./api.ts";
import { mainOf, type Point, ticksOf } from "./points.ts";
import { fill, type Say, useSay } from "./say.tsx";

useParts([LineChart, BarChart, GridComponent, TooltipComponent, AriaComponent, CanvasRenderer]);

const ink = "#0b6e4f";
const band = "#0b6e4f2e";
const text = "#343a40";

/** What the chart draws. */
export interface ChartProps {
  points: Point[];
  kind: Quantity["kind"];
  unit: string;
  fromMs: number;
  toMs: number;
  /** What a screen reader says of the picture. */
  label: string;
}

/** The words of one point, line by line, for tooltip and table. */
export const linesOf = (point: Point, kind: Quantity["kind"], unit: string, say: Say): [string, string][] => {
  const { w } = say;
  const coverage =
    point.expected === undefined
      ? say.whole(point.count)
      : fill(w.device.coverage, { count: say.whole(point.count), expected: say.whole(point.expected) });
  const shown = (value: number | null): string =>
    value === null ? "–" : say.reading(value, unit, kind === "state");
  const name = { mean: w.device.mean, last: w.device.register, total: w.device.total, max: w.device.max };
  const main: [string, string] = [name[mainOf(kind)], shown(point.main)];
  const rest: [string, string][] =
    kind === "gauge"
      ? [
          [w.device.min, shown(point.min)],
          [w.device.max, shown(point.max)],
        ]
      : [];
  return [main, ...rest, [w.device.readings, coverage]];
};

/** A tooltip of elements: the page's policy allows no markup with styles in it. */
const tooltipOf = (point: Point, { kind, unit }: ChartProps, say: Say): HTMLElement => {
  const box = document.createElement("div");
  const head = document.createElement("strong");
  head.textContent = say.moment(point.fromMs);
  box.append(head);
  for (const [name, value] of linesOf(point, kind, unit, say)) {
    const line = document.createElement("div");
    line.textContent = `${name}: ${value}`;
    box.append(line);
  }
  return box;
};

const tickText = (ms: number, spanMs: number, { language, timeZone }: Say): string => {
  const days = spanMs / 86_400_000;
  const format: Intl.DateTimeFormatOptions =
    days <= 2
      ? { hour: "2-digit", minute: "2-digit" }
      : days <= 45
        ? { day: "numeric", month: "short" }
        : { month: "short", year: "2-digit" };
  return new Intl.DateTimeFormat(language === "pl" ? "pl-PL" : "en-GB", { ...format, timeZone }).format(ms);
};

const middle = (point: Point): number => (point.fromMs + point.toMs) / 2;

const optionsOf = (props: ChartProps, say: Say): Parameters<ECharts["setOption"]>[0] => {
  const { points, kind, unit, fromMs, toMs, label } = props;
  const ticks = ticksOf(fromMs, toMs, say.timeZone);
  const alone = (index: number): boolean =>
    points[index - 1]?.main == null && points[index + 1]?.main == null;
  const main =
    kind === "amount"
      ? {
          type: "bar" as const,
          data: points.map((point) => [middle(point), point.main]),
          itemStyle: { color: ink },
        }
      : {
          type: "line" as const,
          step: kind === "state" ? ("middle" as const) : (false as const),
          connectNulls: false,
          symbol: "circle",
          showSymbol: true,
          data: points.map((point, index) => ({
            value: [middle(point), point.main],
            symbolSize: alone(index) ? 6 : 0,
          })),
          lineStyle: { color: ink, width: 2 },
          itemStyle: { color: ink },
        };
  const hidden = {
    type: "line" as const,
    stack: "band",
    stackStrategy: "all" as const,
    symbol: "none",
    lineStyle: { opacity: 0 },
    silent: true,
    connectNulls: false,
  };
  const spread =
    kind === "gauge"
      ? [
          { ...hidden, data: points.map((point) => [middle(point), point.min]) },
          {
            ...hidden,
            areaStyle: { color: band },
            data: points.map((point) => [
              middle(point),
              point.max === null || point.min === null ? null : point.max - point.min,
            ]),
          },
        ]
      : [];
  return {
    animation: false,
    aria: { enabled: true, label: { description: label } },
    textStyle: { fontFamily: "inherit", color: text },
    grid: { left: 8, right: 14, top: 30, bottom: 8, containLabel: true },
    tooltip: {
      trigger: "axis",
      textStyle: { color: text },
      confine: true,
      formatter: (found: unknown) => {
        const first = (Array.isArray(found) ? found[0] : found) as { dataIndex?: number } | undefined;
        const point = points[first?.dataIndex ?? -1];
        return point ? [tooltipOf(point, props, say)] : [];
      },
    },
    xAxis: {
      type: "time",
      min: fromMs,
      max: toMs,
      axisTick: { customValues: ticks },
      axisLabel: {
        customValues: ticks,
        color: text,
        fontSize: 12,
        hideOverlap: true,
        formatter: (ms: number) => tickText(ms, toMs - fromMs, say),
      },
    },
    yAxis: {
      type: "value",
      scale: kind !== "amount",
      name: say.number(0, unit).replace(/^0\u00a0?/, ""),
      nameTextStyle: { align: "left", color: text, fontSize: 12 },
      min: kind === "state" ? 0 : undefined,
      max: kind === "state" ? 1 : undefined,
      interval: kind === "state" ? 1 : undefined,
      axisLabel: {
        color: text,
        fontSize: 12,
        formatter: (value: number) => (kind === "state" ? say.reading(value, "", true) : say.number(value)),
      },
    },
    series: [...spread, main],
  };
};

/** One quantity of one device over time: a band from lowest to highest, a line, and gaps where nothing came. */
export function Chart(props: ChartProps): ReactNode {
  const say = useSay();
  const holder = useRef<HTMLDivElement>(null);
  const chart = useRef<ECharts>(undefined);
  useEffect(() => {
    if (!holder.current) return;
    const made = init(holder.current, null, { renderer: "canvas" });
    chart.current = made;
    const watch = new ResizeObserver(() => made.resize());
    watch.observe(holder.current);
    return () => {
      watch.disconnect();
      made.dispose();
    };
  }, []);
  useEffect(() => {
    chart.current?.setOption(optionsOf(props, say), { notMerge: true });
  }, [props, say]);
  return <div ref={holder} className="chart" role="img" aria-label={props.label} />;
}
