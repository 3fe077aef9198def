import type { Reporter, TestModule } from "vitest/node";

/** Ends a run with one plain line that a machine can read: `12 passed, 0 failed, 0 skipped`. */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const count = (state: string): number => tests.filter((test) => test.result().state === state).length;
    const broken = modules.filter((module) => !module.ok() && module.errors().length > 0).length;
    process.stdout.write(
      `${count("passed")} passed, ${count("failed") + broken} failed, ${count("skipped")} skipped\n`,
    );
  }
}
