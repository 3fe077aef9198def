import { HttpProblem } from "./problem.js";

/** Bounds how many exports are under way: each keeps pages in memory for as long as its reader takes. */
export interface ExportLimit {
  /** Takes a place; what it gives frees the place, once. Throws `too-many-exports` (503). */
  enter(): () => void;
}

/** Makes a limit of `most` exports at once. */
export function makeExportLimit(most: number): ExportLimit {
  const under = new Set<symbol>();
  return {
    enter() {
      if (under.size >= most)
        throw new HttpProblem(503, "too-many-exports", "too many exports are under way: try again later", {
          retryAfterMs: 10_000,
        });
      const place = Symbol("export");
      under.add(place);
      return () => void under.delete(place);
    },
  };
}
