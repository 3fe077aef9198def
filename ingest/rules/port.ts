import type { Rule } from "../../devices/index.js";
import type { AlertTransition } from "../alerts/port.js";
import type { IdentifiedValue } from "../stores/port.js";
import type { PresenceView } from "./offline.js";

/** The judge of stored values: a fold with the time given to it. */
export interface RuleEngine {
  /** Store sequence up to which values are judged, saved or not. */
  readonly position: number;
  /** True when {@link save} should be called; stays true until what it put was committed. */
  readonly dirty: boolean;
  /**
   * Judges values in the order of storing. Values at or before `position`, and those that weren't stored (sequence 0), are skipped.
   * Time goes no further than the newest `receivedMs`, so that a backlog is judged by its own time.
   * Guarantee: returns every transition that wasn't saved yet, so a transaction that failed loses none.
   */
  fold(values: Iterable<IdentifiedValue>, nowMs: number): AlertTransition[];
  /**
   * Lets time pass up to `untilMs`, now unless a backlog waits: durations end and devices fall silent, those with `presence` of their own sooner.
   * Guarantee: as `fold`.
   */
  tick(nowMs: number, presence?: PresenceView, untilMs?: number): AlertTransition[];
  /** Puts what changed, and the position, into its table. To be called inside the caller's transaction. */
  save(): void;
  /**
   * History is made again from the past of the journal: values of messages that were judged before aren't judged again.
   * Takes effect with the next {@link save}.
   */
  passOver(): void;
  /** Replaces the rules; alerts of rules that went are resolved by the next fold. */
  setRules(rules: readonly Rule[]): void;
  /** To be called when devices or places changed; alerts of devices that went are resolved by the next fold. */
  refresh(): void;
}
