import { outsideService, type Rule } from "../../devices/index.js";
import type { DeviceWatches, FoldContext, SilentWatch } from "./watch.js";

/** What devices say themselves of their being there. Times of receipt, epoch milliseconds. */
export interface PresenceView {
  of(device: string): { online: boolean; sinceMs: number } | undefined;
  /** Devices that said last that they are offline. */
  offline(): Iterable<string>;
}

const silentsOf = ({ anyLife, silents }: DeviceWatches): SilentWatch[] => [
  ...anyLife,
  ...[...silents.values()].flat(),
];

/** Raises once a device has been offline by its own word for long enough, with nothing heard since. True when it did. */
function seeOffline(watch: SilentWatch, sinceMs: number, context: FoldContext): boolean {
  const { rule, state, device } = watch;
  const { listenedMs, wallMs } = context.time;
  if (rule.offlineFor === undefined || state.raised || sinceMs < state.receivedMs) return false;
  const forMs = listenedMs - context.time.listenedAt(sinceMs);
  if (forMs < rule.offlineFor) return false;
  const facts = { value: forMs / 1_000, sinceMs, atMs: wallMs, isOffline: true };
  state.raised = context.word(rule, device, facts, undefined);
  state.isOffline = true;
  context.emit(state.raised);
  return true;
}

/** Ends what {@link seeOffline} raised when the device says that it is back; its silence counts from then. */
function seeOnline(watch: SilentWatch, sinceMs: number, context: FoldContext): void {
  const { rule, state, device, allowedMs } = watch;
  if (!state.raised) return;
  const facts = {
    value: Math.max(0, sinceMs - state.raised.sinceMs) / 1_000,
    sinceMs: state.raised.sinceMs,
    atMs: sinceMs,
    isOffline: true,
  };
  context.emit(context.word(rule, device, facts, state.raised));
  delete state.raised;
  delete state.isOffline;
  state.receivedMs = Math.max(state.receivedMs, sinceMs);
  state.heardAt = Math.max(state.heardAt, context.time.listenedAt(sinceMs));
  context.schedule(watch, state.heardAt + allowedMs);
}

/** The silent rules with `offlineFor`, and their watches that an offline device raised. */
export class OfflineRules {
  readonly #raised = new Set<SilentWatch>();

  clear(): void {
    this.#raised.clear();
  }

  /** Takes over a watch as it was left. */
  adopt(watch: SilentWatch): void {
    if (watch.state.isOffline) this.#raised.add(watch);
  }

  /** Lets the rules see what devices say themselves; gives the watches whose phase changed. */
  see(
    rules: readonly Rule[],
    presence: PresenceView | undefined,
    watchesOf: (device: string) => DeviceWatches | undefined,
    context: FoldContext,
  ): SilentWatch[] {
    const changed: SilentWatch[] = [];
    if (!presence || !rules.some((rule) => rule.kind === "silent" && rule.offlineFor !== undefined))
      return changed;
    for (const watch of this.#raised) {
      const sign = presence.of(watch.device);
      if (watch.state.isOffline && sign?.online !== true) continue;
      this.#raised.delete(watch);
      if (!watch.state.isOffline || !sign) continue;
      seeOnline(watch, sign.sinceMs, context);
      changed.push(watch);
    }
    for (const device of presence.offline()) {
      const watches = watchesOf(device);
      const sign = presence.of(device);
      if (!watches || !sign || outsideService(watches.service, context.time.wallMs)) continue;
      for (const watch of silentsOf(watches)) {
        if (!seeOffline(watch, sign.sinceMs, context)) continue;
        this.#raised.add(watch);
        changed.push(watch);
      }
    }
    return changed;
  }
}
