import type { ReactNode } from "react";
import type { Quantity } from "../api.ts";
import { mainOf, type Point } from "../points.ts";
import { fill, useSay } from "../say.tsx";

/** The chart's points as a table, newest first: for who can't see the chart or wants the figures. */
export function PointsTable(props: {
  points: Point[];
  kind: Quantity["kind"];
  unit: string;
  label: string;
}): ReactNode {
  const say = useSay();
  const { w } = say;
  const { points, kind, unit, label } = props;
  const shown = (value: number | null): string =>
    value === null ? "–" : say.reading(value, unit, kind === "state");
  const name = { mean: w.device.mean, last: w.device.register, total: w.device.total, max: w.device.max };
  return (
    <div className="scroll tall" tabIndex={0} role="region" aria-label={label}>
      <table className="table">
        <thead>
          <tr>
            <th scope="col">{w.device.time}</th>
            <th scope="col" className="num">
              {name[mainOf(kind)]}
            </th>
            {kind === "gauge" && (
              <>
                <th scope="col" className="num">
                  {w.device.min}
                </th>
                <th scope="col" className="num">
                  {w.device.max}
                </th>
              </>
            )}
            <th scope="col" className="num">
              {w.device.readings}
            </th>
          </tr>
        </thead>
        <tbody>
          {[...points].reverse().map((point) => (
            <tr key={point.fromMs}>
              <th scope="row">{say.moment(point.fromMs)}</th>
              <td className="num">{shown(point.main)}</td>
              {kind === "gauge" && (
                <>
                  <td className="num">{shown(point.min)}</td>
                  <td className="num">{shown(point.max)}</td>
                </>
              )}
              <td className="num">
                {point.expected === undefined
                  ? say.whole(point.count)
                  : fill(w.device.coverage, {
                      count: say.whole(point.count),
                      expected: say.whole(point.expected),
                    })}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
