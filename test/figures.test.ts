import { expect, test } from "vitest";
import { Figures, type FigureSources } from "../ingest/figures.js";

test("the figures tell that upkeep fails, and that it does no more", async () => {
  const history: { upkeepFault: FigureSources["history"]["upkeepFault"] } = { upkeepFault: undefined };
  const figures = new Figures({
    door: () => undefined,
    intake: () => ({ position: 0, durable: 0, fault: undefined }),
    sinks: [],
    alerts: {
      counts: { raised: 0, resolved: 0, delivered: 0, dead: 0, waiting: 0, failedAttempts: 0, shed: 0 },
    },
    history,
    uplinks: () => [],
    clock: () => 0,
  });
  const failing = async (): Promise<string | undefined> =>
    /^obieg_upkeep_failing (\d+)$/m.exec(await figures.text())?.[1];
  expect(await failing()).toBe("0");
  history.upkeepFault = { code: "history-seal", message: "no space left on device" };
  expect(await failing()).toBe("1");
  history.upkeepFault = undefined;
  expect(await failing()).toBe("0");
});
