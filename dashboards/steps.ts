import { HttpProblem } from "./problem.js";
import { type calendarSteps, shortestMs, stepSchema, timeSchema, zoneSchema } from "./query.js";

const mostSteps = 20_000;

/** `from`, `to`, `step` and `tz` of what is told step by step. */
export const stepParts = {
  from: timeSchema,
  to: timeSchema,
  step: stepSchema.default("hour"),
  tz: zoneSchema.optional().describe("the city's unless told"),
};

/** Throws `request-invalid` (400) when a range has both ends and ends before it begins. */
export function checkRange(from: number | undefined, to: number | undefined): void {
  if (from === undefined || to === undefined || to > from) return;
  throw new HttpProblem(400, "request-invalid", "to must be after from", {
    faults: [{ path: "/query/to", message: "must be after from" }],
  });
}

/** Throws `request-invalid`, or `series-too-long` (400) above 20,000 steps. `step`: milliseconds, or of the calendar. */
export function checkSteps(from: number, to: number, step: number | (typeof calendarSteps)[number]): void {
  checkRange(from, to);
  if ((to - from) / (typeof step === "number" ? step : shortestMs[step]) <= mostSteps) return;
  throw new HttpProblem(400, "series-too-long", `at most ${mostSteps} steps: take a longer one`, {
    faults: [{ path: "/query/step", message: "too short for this range" }],
  });
}
