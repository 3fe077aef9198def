import { outsideService, type Rule } from "../../devices/index.js";
import type { DeviceWatches, FoldContext, SilentWatch } from "./watch.js";

/** What a device said itself of its being there: when that was received, epoch milliseconds, and in which message of the journal. */
interface Sign {
  online: boolean;
  sinceMs: number;
  message: number;
}

/** What devices say themselves of their being there. */
export interface PresenceView {
  of(device: string): Sign | undefined;
  /** Devices that said last that they are offline. */
  offline(): Iterable<string>;
}

const silentsOf = ({ anyLife, silents }: DeviceWatches): SilentWatch[] => [
  ...anyLife,
  ...[...silents.values()].flat(),
];

/**
 * Notes when a device said that it is offline, in listening time: what the clock was set by, or passed while the service
 * was down, isn't part of it. It came after `lookedAt`, the listening time of the last look. True when that is news.
 */
function noteOffline({ state }: SilentWatch, sign: Sign, lookedAt: number, { time }: FoldContext): boolean {
  if (state.offlineMessage === sign.message) return false;
  state.offlineMessage = sign.message;
  state.offlineAt = Math.max(lookedAt, time.listenedAt(sign.sinceMs));
  return true;
}

/** Raises once a device has been offline by its own word for long enough, with nothing heard since. True when it did. */
function seeOffline(watch: SilentWatch, allowedMs: number, sign: Sign, context: FoldContext): boolean {
  const { rule, state, device } = watch;
  const { listenedMs, wallMs } = context.time;
  if (state.raised || state.message > sign.message) return false;
  const forMs = listenedMs - (state.offlineAt ?? listenedMs);
  if (forMs < allowedMs) return false;
  const sinceMs = Math.min(sign.sinceMs, wallMs - forMs);
  const facts = { value: forMs / 1_000, sinceMs, atMs: wallMs, isOffline: true };
  state.raised = context.word(rule, device, facts, undefined);
  state.isOffline = true;
  context.emit(state.raised);
  return true;
}

/** Ends what {@link seeOffline} raised when the device says that it is back; its silence counts from then. */
function seeOnline(watch: SilentWatch, { sinceMs, message }: Sign, context: FoldContext): void {
  const { rule, state, device, allowedMs } = watch;
  if (!state.raised) return;
  const backAt = context.time.listenedAt(sinceMs);
  const fromMs = state.raised.sinceMs;
  const forMs = fromMs <= sinceMs ? sinceMs - fromMs : Math.max(0, backAt - (state.offlineAt ?? backAt));
  const facts = { value: forMs / 1_000, sinceMs: fromMs, atMs: sinceMs, isOffline: true };
  context.emit(context.word(rule, device, facts, state.raised));
  delete state.raised;
  delete state.isOffline;
  state.receivedMs = sinceMs;
  state.message = Math.max(state.message, message);
  state.heardAt = Math.max(state.heardAt, backAt);
  context.schedule(watch, state.heardAt + allowedMs);
}

/** The silent rules with `offlineFor`, and their watches that an offline device raised. */
export class OfflineRules {
  readonly #raised = new Set<SilentWatch>();
  /** Listening time of the last look. */
  #lookedAt: number;

  constructor(listenedMs: number) {
    this.#lookedAt = listenedMs;
  }

  clear(): void {
    this.#raised.clear();
  }

  /** Takes over a watch as it was left. */
  adopt(watch: SilentWatch): void {
    if (watch.state.isOffline) this.#raised.add(watch);
  }

  /** Lets the rules see what devices say themselves; tells which watches changed, and whether in their phase. */
  see(
    rules: readonly Rule[],
    presence: PresenceView | undefined,
    watchesOf: (device: string) => DeviceWatches | undefined,
    context: FoldContext,
    mark: (watch: SilentWatch, isPhase: boolean) => void,
  ): void {
    if (!presence) return;
    const lookedAt = this.#lookedAt;
    this.#lookedAt = context.time.listenedMs;
    if (!rules.some((rule) => rule.kind === "silent" && rule.offlineFor !== undefined)) return;
    for (const watch of this.#raised) {
      const sign = presence.of(watch.device);
      if (watch.state.isOffline && sign?.online !== true) continue;
      this.#raised.delete(watch);
      if (!watch.state.isOffline || !sign) continue;
      seeOnline(watch, sign, context);
      mark(watch, true);
    }
    for (const device of presence.offline()) {
      const watches = watchesOf(device);
      const sign = presence.of(device);
      if (!watches || !sign || outsideService(watches.service, context.time.wallMs)) continue;
      for (const watch of silentsOf(watches)) {
        if (watch.rule.offlineFor === undefined) continue;
        if (noteOffline(watch, sign, lookedAt, context)) mark(watch, false);
        if (!seeOffline(watch, watch.rule.offlineFor, sign, context)) continue;
        this.#raised.add(watch);
        mark(watch, true);
      }
    }
  }
}
