const stepMs = 15_000;

/** Says on standard error how far a long run is, at most every 15 seconds. */
export function openProgress(
  what: string,
  total: number,
): { at(done: number, facts: string): void; end(facts: string): void } {
  const startedMs = Date.now();
  let saidMs = startedMs;
  const say = (text: string): void => void process.stderr.write(`${what}: ${text}\n`);
  return {
    at(done, facts) {
      if (Date.now() - saidMs < stepMs) return;
      saidMs = Date.now();
      const leftS = (((saidMs - startedMs) / done) * (total - done)) / 1e3;
      say(`${done} of ${total}, ${facts}, about ${leftS.toFixed(0)} s left`);
    },
    end(facts) {
      say(`${total} of ${total} in ${((Date.now() - startedMs) / 1e3).toFixed(0)} s: ${facts}`);
    },
  };
}
