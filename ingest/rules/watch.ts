import {
  outsideService,
  type Rule,
  type ServiceTime,
  type SilentRule,
  type ThresholdRule,
} from "../../devices/index.js";
import type { AlertTransition } from "../alerts/port.js";
import type { IdentifiedValue } from "../stores/port.js";
import type { RuleTime } from "./time.js";

/** What is kept of one threshold rule at one device. Times epoch milliseconds unless said otherwise. */
export interface ThresholdState {
  quantity: string;
  /** Event time and number of the newest value. */
  lastMs?: number;
  lastValue?: number;
  /** Since when the limit is broken: event time, and steady time when it was learned; how old it was then, milliseconds. */
  brokenMs?: number;
  brokenAt?: number;
  brokenAgeMs?: number;
  raised?: AlertTransition;
}

/** What is kept of one silent rule at one device. */
export interface SilentState {
  /** Null for any quantity. */
  quantity: string | null;
  /** Listening time of the last sign of life. */
  heardAt: number;
  /** Wall time of it. */
  receivedMs: number;
  /** Journal sequence of its message. */
  message: number;
  /** Journal sequence of the device's last word that it is offline, and listening time of it. */
  offlineMessage?: number;
  offlineAt?: number;
  /** True while `raised` stands because the device itself said that it is offline. */
  isOffline?: boolean;
  raised?: AlertTransition;
}

interface Common {
  key: string;
  device: string;
  /** True while it stands in the heap of deadlines. */
  queued: boolean;
}

/** One threshold rule at one device. */
export interface ThresholdWatch extends Common {
  rule: ThresholdRule;
  state: ThresholdState;
}

/** One silent rule at one device, with how long it may be silent, milliseconds of listening time. */
export interface SilentWatch extends Common {
  rule: SilentRule;
  state: SilentState;
  allowedMs: number;
}

/** One rule at one device. */
export type Watch = ThresholdWatch | SilentWatch;

/** Makes the transitions; knows places, units and words. */
export interface Wording {
  (
    rule: Rule,
    device: string,
    facts: Pick<AlertTransition, "value" | "sinceMs" | "atMs"> & { isOffline?: boolean },
    raised: AlertTransition | undefined,
  ): AlertTransition;
}

/** What a step of the fold works with. */
export interface FoldContext {
  time: RuleTime;
  word: Wording;
  emit(transition: AlertTransition): void;
  /** Asks to be looked at when the watch's time (steady for thresholds, listening for silence) reaches `at`. */
  schedule(watch: Watch, at: number): void;
}

/** A state that lies this far ahead of the clock comes from a clock that was wrong, and no longer counts as newer. */
const clockToleranceMs = 10 * 60_000;

function isBroken(rule: ThresholdRule, value: number): boolean {
  if (rule.above !== undefined) return value > rule.above;
  return rule.below !== undefined && value < rule.below;
}

function isClear(rule: ThresholdRule, value: number): boolean {
  if (isBroken(rule, value)) return false;
  if (rule.clear === undefined) return true;
  return rule.above === undefined ? value >= rule.clear : value <= rule.clear;
}

function raiseThreshold(watch: ThresholdWatch, atMs: number, context: FoldContext): void {
  const { rule, state, device } = watch;
  const facts = { value: state.lastValue ?? null, sinceMs: state.brokenMs ?? atMs, atMs };
  state.raised = context.word(rule, device, facts, undefined);
  forgetBreak(state);
  context.emit(state.raised);
}

function forgetBreak(state: ThresholdState): void {
  delete state.brokenMs;
  delete state.brokenAt;
  delete state.brokenAgeMs;
}

/**
 * True when a value of this time shows that the limit was broken for long enough.
 * No more time can lie between two values than has passed since the first was learned and its age then: a longer
 * span was stamped by a clock that was set in between, and proves nothing.
 */
function isProven({ rule, state }: ThresholdWatch, timeMs: number, { steadyMs }: RuleTime): boolean {
  const { brokenMs = timeMs, brokenAt = steadyMs, brokenAgeMs = Number.POSITIVE_INFINITY } = state;
  const span = timeMs - brokenMs;
  return span >= (rule.for ?? 0) && span <= steadyMs - brokenAt + brokenAgeMs + clockToleranceMs;
}

/**
 * Lets a threshold rule see a value of its quantity. True when its phase changed.
 * A value older than the newest one seen changes nothing; a limit counts as broken until a value says otherwise.
 */
export function seeValue(watch: ThresholdWatch, value: IdentifiedValue, context: FoldContext): boolean {
  const { rule, state } = watch;
  const { lastMs = Number.NEGATIVE_INFINITY } = state;
  if (value.timeMs < lastMs && lastMs <= context.time.wallMs + clockToleranceMs) return false;
  let changed = false;
  if (state.brokenMs !== undefined && isProven(watch, value.timeMs, context.time)) {
    raiseThreshold(watch, state.brokenMs + (rule.for ?? 0), context);
    changed = true;
  }
  state.lastMs = value.timeMs;
  state.lastValue = value.value;
  const broken = isBroken(rule, value.value);
  if (state.raised) {
    if (!isClear(rule, value.value)) return changed;
    const facts = { value: value.value, sinceMs: state.raised.sinceMs, atMs: value.timeMs };
    context.emit(context.word(rule, watch.device, facts, state.raised));
    delete state.raised;
    return true;
  }
  if (broken === (state.brokenMs !== undefined)) return changed;
  if (!broken) {
    forgetBreak(state);
    return true;
  }
  state.brokenMs = value.timeMs;
  state.brokenAt = context.time.steadyMs;
  state.brokenAgeMs = Math.max(0, context.time.wallMs - value.timeMs);
  if ((rule.for ?? 0) === 0) raiseThreshold(watch, value.timeMs, context);
  else context.schedule(watch, state.brokenAt + (rule.for ?? 0));
  return true;
}

/** Lets a silent rule see a sign of life, of whatever event time. True when its phase changed. */
export function seeLife(watch: SilentWatch, value: IdentifiedValue, context: FoldContext): boolean {
  const { state } = watch;
  if (value.message <= state.message) return false;
  const { receivedMs: beforeMs, heardAt: beforeAt } = state;
  state.heardAt = Math.max(state.heardAt, context.time.listenedAt(value.receivedMs));
  state.receivedMs = value.receivedMs;
  state.message = value.message;
  if (!state.raised) return false;
  const silentMs = beforeMs <= value.receivedMs ? value.receivedMs - beforeMs : state.heardAt - beforeAt;
  const facts = {
    value: silentMs / 1_000,
    sinceMs: state.raised.sinceMs,
    atMs: value.receivedMs,
  };
  context.emit(context.word(watch.rule, watch.device, facts, state.raised));
  delete state.raised;
  delete state.isOffline;
  context.schedule(watch, state.heardAt + watch.allowedMs);
  return true;
}

/**
 * Lets a watch see that its deadline came. True when its phase changed.
 * Nothing is expected of a device outside its service; its silence counts from when that begins.
 */
export function seeDeadline(watch: Watch, service: ServiceTime, context: FoldContext): boolean {
  if (isSilent(watch)) {
    const { listenedMs: now, wallMs } = context.time;
    const { state, allowedMs } = watch;
    if (state.raised) return false;
    if (outsideService(service, wallMs)) {
      // A clock far behind may be mended at any moment: the beginning of service is looked for again in good time.
      const aheadMs = Math.max(0, (service.commissioned ?? wallMs) - wallMs);
      state.heardAt = now + Math.min(aheadMs, allowedMs);
      context.schedule(watch, state.heardAt + (aheadMs < allowedMs ? allowedMs : 0));
      return true;
    }
    if (now < state.heardAt + allowedMs) {
      context.schedule(watch, state.heardAt + allowedMs);
      return false;
    }
    const silentMs = now - state.heardAt;
    const facts = {
      value: silentMs / 1_000,
      sinceMs: Math.min(state.receivedMs, wallMs - silentMs),
      atMs: wallMs,
    };
    state.raised = context.word(watch.rule, watch.device, facts, undefined);
    context.emit(state.raised);
    return true;
  }
  const { state, rule } = watch;
  if (state.brokenAt === undefined) return false;
  const dueAt = state.brokenAt + (rule.for ?? 0);
  if (context.time.steadyMs < dueAt) {
    context.schedule(watch, dueAt);
    return false;
  }
  const { wallMs } = context.time;
  raiseThreshold(watch, Math.min(wallMs, (state.brokenMs ?? wallMs) + (rule.for ?? 0)), context);
  return true;
}

/** Everything watched at one device, by what comes in. */
export interface DeviceWatches {
  /** Values of other times are judged by no rule. */
  service: ServiceTime;
  thresholds: Map<string, ThresholdWatch[]>;
  silents: Map<string, SilentWatch[]>;
  /** Silent rules that any quantity satisfies. */
  anyLife: SilentWatch[];
}

/** Adds a watch to the list of a quantity. */
export function into<W>(map: Map<string, W[]>, key: string, watch: W): void {
  const list = map.get(key);
  if (list) list.push(watch);
  else map.set(key, [watch]);
}

/** True for a watch of a silent rule. */
export function isSilent(watch: Watch): watch is SilentWatch {
  return watch.rule.kind === "silent";
}
