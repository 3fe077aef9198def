import { matchesGlob, outsideService, type RegistryView, type Rule } from "../../devices/index.js";
import type { AlertTransition } from "../alerts/port.js";
import type { IdentifiedValue, StateStore } from "../stores/port.js";
import { DeadlineHeap } from "./heap.js";
import type { RuleEngine } from "./port.js";
import { metaKey, readMeta, type RuleMeta } from "./meta.js";
import { OfflineRules, type PresenceView } from "./offline.js";
import { type Span, spanWithoutDecommissioning } from "./span.js";
import { RuleTime } from "./time.js";
import {
  type DeviceWatches,
  type FoldContext,
  into,
  isSilent,
  seeDeadline,
  seeLife,
  seeValue,
  type SilentState,
  type SilentWatch,
  type ThresholdState,
  type ThresholdWatch,
  type Watch,
  type Wording,
} from "./watch.js";
import { openWording, type UnitOf, withdrawText } from "./wording.js";

type StoredState = ThresholdState | SilentState;

const saveAfterValues = 100_000;
const saveAfterMs = 10_000;

const keyOf = (rule: string, device: string): string => `${rule}|${device}`;

/** Keeps the watches, the time and what is on disk of both. */
export class Engine implements RuleEngine {
  readonly #table: ReturnType<StateStore["table"]>;
  readonly #registry: RegistryView;
  readonly #word: Wording;
  readonly #time: RuleTime;
  #rules: readonly Rule[];
  #position: number;
  #message: number;
  #passUntil: number;
  /** States that belong to no watch yet: read from disk, or left by a device or a rule. */
  #orphans = new Map<string, StoredState>();
  #watches = new Map<string, DeviceWatches>();
  #known = new Set<string>();
  #members = new Map<string, ReadonlySet<string>>();
  #steadyHeap = new DeadlineHeap<Watch>();
  #listenedHeap = new DeadlineHeap<Watch>();
  readonly #offline: OfflineRules;
  /** While the watches hold; undefined when they must be set up anew. */
  #span: Span | undefined;
  /** Watches that differ from the disk, and keys that must leave it. */
  #changed = new Map<string, Watch>();
  #gone = new Set<string>();
  #unsaved: AlertTransition[] = [];
  #stamp: number;
  #saved: { stamp: number; transitions: number } | undefined;
  #valuesSinceSave = 0;
  #savedAtMs = Number.NEGATIVE_INFINITY;
  #nowMs = Number.NEGATIVE_INFINITY;
  #isPressing = false;

  constructor(
    state: StateStore,
    rules: readonly Rule[],
    registry: RegistryView,
    unitOf: UnitOf,
    monotonic: (() => number) | undefined,
  ) {
    this.#table = state.table("rules");
    this.#registry = registry;
    this.#rules = rules;
    this.#word = openWording(registry, unitOf);
    const meta = readMeta(this.#table);
    this.#position = meta?.position ?? 0;
    this.#message = meta?.message ?? 0;
    this.#passUntil = meta?.passUntil ?? 0;
    this.#stamp = meta?.stamp ?? 0;
    this.#time = new RuleTime(meta ?? { steadyMs: 0, listenedMs: 0, wallMs: undefined }, monotonic);
    this.#offline = new OfflineRules(this.#time.listenedMs);
    for (const { key, value } of this.#table.getRange()) {
      if (key !== metaKey) this.#orphans.set(String(key), value as StoredState);
    }
  }

  get position(): number {
    return this.#position;
  }

  get dirty(): boolean {
    this.#confirm();
    if (this.#isPressing || this.#unsaved.length > 0 || this.#gone.size > 0) return true;
    if (this.#valuesSinceSave === 0) return false;
    return this.#valuesSinceSave >= saveAfterValues || this.#nowMs - this.#savedAtMs >= saveAfterMs;
  }

  passOver(): void {
    this.#passUntil = this.#message;
    this.#isPressing = true;
  }

  setRules(rules: readonly Rule[]): void {
    this.#rules = rules;
    this.#span = undefined;
  }

  refresh(): void {
    this.#span = undefined;
  }

  fold(values: Iterable<IdentifiedValue>, nowMs: number): AlertTransition[] {
    this.#look(nowMs);
    if (!this.#span) this.#rebuild(nowMs);
    const context = this.#context();
    for (const value of values) {
      if (value.sequence <= this.#position) continue;
      this.#position = value.sequence;
      this.#valuesSinceSave += 1;
      if (value.message <= this.#passUntil) continue;
      this.#passUntil = 0;
      this.#message = Math.max(this.#message, value.message);
      const untilMs = Math.min(value.receivedMs, nowMs);
      if (untilMs > this.#time.wallMs) {
        this.#time.moveTo(untilMs);
        this.#seeDue(context);
      }
      this.#see(value, context);
    }
    this.#seeDue(context);
    return [...this.#unsaved];
  }

  tick(nowMs: number, presence?: PresenceView, untilMs = nowMs): AlertTransition[] {
    this.#look(nowMs);
    this.#time.moveTo(untilMs);
    if (!this.#span) this.#rebuild(nowMs);
    const context = this.#context();
    this.#seeDue(context);
    const mark = this.#mark.bind(this);
    this.#offline.see(this.#rules, presence, (id) => this.#watches.get(id), context, mark);
    return [...this.#unsaved];
  }

  save(): void {
    this.#confirm();
    for (const key of this.#gone) void this.#table.remove(key);
    for (const [key, watch] of this.#changed) void this.#table.put(key, watch.state);
    this.#stamp += 1;
    const meta: RuleMeta = {
      version: 1,
      position: this.#position,
      message: this.#message,
      passUntil: this.#passUntil,
      stamp: this.#stamp,
      ...this.#time.kept,
    };
    void this.#table.put(metaKey, meta);
    this.#saved = { stamp: this.#stamp, transitions: this.#unsaved.length };
  }

  #look(nowMs: number): void {
    this.#confirm();
    if (this.#savedAtMs === Number.NEGATIVE_INFINITY || nowMs < this.#savedAtMs) this.#savedAtMs = nowMs;
    this.#nowMs = nowMs;
    this.#time.look(nowMs);
    if (this.#span && (nowMs < this.#span.fromMs || nowMs >= this.#span.untilMs)) this.#span = undefined;
  }

  /** Forgets what the last save put, once it stands on disk; if it doesn't, everything is still to be saved. */
  #confirm(): void {
    if (!this.#saved) return;
    const { stamp, transitions } = this.#saved;
    this.#saved = undefined;
    if (readMeta(this.#table)?.stamp !== stamp) return;
    this.#unsaved.splice(0, transitions);
    this.#changed.clear();
    this.#gone.clear();
    this.#isPressing = false;
    this.#valuesSinceSave = 0;
    this.#savedAtMs = this.#nowMs;
  }

  #context(): FoldContext {
    return {
      time: this.#time,
      word: this.#word,
      emit: (transition) => this.#unsaved.push(transition),
      schedule: (watch, at) => {
        if (watch.queued) return;
        watch.queued = true;
        (isSilent(watch) ? this.#listenedHeap : this.#steadyHeap).push(at, watch);
      },
    };
  }

  #seeDue(context: FoldContext): void {
    const { steadyMs, listenedMs } = this.#time;
    for (;;) {
      const due = this.#steadyHeap.popDue(steadyMs) ?? this.#listenedHeap.popDue(listenedMs);
      if (!due) return;
      due.queued = false;
      const { service = {} } = this.#watches.get(due.device) ?? {};
      if (this.#registry.device(due.device) && seeDeadline(due, service, context)) this.#mark(due, true);
    }
  }

  #see(value: IdentifiedValue, context: FoldContext): void {
    const watches = this.#watches.get(value.device) ?? this.#watchNew(value.device, value.receivedMs);
    if (!watches || outsideService(watches.service, value.timeMs)) return;
    for (const watch of watches.thresholds.get(value.quantity) ?? []) {
      this.#mark(watch, seeValue(watch, value, context));
    }
    for (const watch of watches.silents.get(value.quantity) ?? []) {
      this.#mark(watch, seeLife(watch, value, context));
    }
    for (const watch of watches.anyLife) this.#mark(watch, seeLife(watch, value, context));
  }

  #mark(watch: Watch, isPressing: boolean): void {
    this.#changed.set(watch.key, watch);
    if (isPressing) this.#isPressing = true;
  }

  #watchNew(device: string, nowMs: number): DeviceWatches | undefined {
    if (!this.#registry.device(device)) return undefined;
    if (!this.#known.has(device)) {
      this.#known.add(device);
      this.#members.clear();
    }
    return this.#watch(device, nowMs);
  }

  /** Sets up anew who is watched by what, keeping what is known; ends alerts that nothing watches any more. */
  #rebuild(nowMs: number): void {
    const devices = this.#registry.devices();
    this.#span = spanWithoutDecommissioning(devices, nowMs);
    for (const watches of this.#watches.values()) {
      for (const list of [...watches.thresholds.values(), ...watches.silents.values(), watches.anyLife]) {
        for (const watch of list) this.#orphans.set(watch.key, watch.state);
      }
    }
    this.#watches = new Map();
    this.#offline.clear();
    this.#members.clear();
    this.#steadyHeap = new DeadlineHeap();
    this.#listenedHeap = new DeadlineHeap();
    const stored = new Set([...this.#orphans.keys()].map((key) => key.slice(key.indexOf("|") + 1)));
    const anySilent = this.#rules.some((rule) => rule.kind === "silent");
    this.#known = new Set(devices.map((device) => device.id));
    for (const device of this.#known) {
      if (anySilent || stored.has(device)) this.#watch(device, nowMs);
    }
    for (const [key, state] of this.#orphans) {
      if (state.raised) this.#unsaved.push(withdrawText(state.raised, nowMs));
      this.#changed.delete(key);
      this.#gone.add(key);
    }
    this.#orphans.clear();
  }

  #watch(device: string, nowMs: number): DeviceWatches {
    const service = this.#registry.device(device) ?? {};
    const watches: DeviceWatches = { service, thresholds: new Map(), silents: new Map(), anyLife: [] };
    this.#watches.set(device, watches);
    for (const rule of this.#rules) {
      const watch = this.#watchRule(rule, device, nowMs);
      if (!watch) continue;
      if (!isSilent(watch)) into(watches.thresholds, watch.rule.quantity, watch);
      else if (watch.rule.quantity !== undefined) into(watches.silents, watch.rule.quantity, watch);
      else watches.anyLife.push(watch);
    }
    return watches;
  }

  #watchRule(rule: Rule, device: string, nowMs: number): Watch | undefined {
    const entry = this.#registry.device(device);
    if (!entry || outsideService(entry, this.#nowMs) === "after-decommissioning") return undefined;
    if (rule.class !== undefined && rule.class !== entry.class) return undefined;
    if (rule.devices && !rule.devices.some((glob) => matchesGlob(glob, device))) return undefined;
    if (rule.place !== undefined && !this.#membersOf(rule.place).has(device)) return undefined;
    const key = keyOf(rule.id, device);
    const context = this.#context();
    if (rule.kind === "silent" && entry.everyMs === undefined && rule.offlineFor === undefined)
      return undefined;
    const kept = this.#adopt(key, rule);
    if (rule.kind === "threshold") {
      const state: ThresholdState = kept && !("heardAt" in kept) ? kept : { quantity: rule.quantity };
      const watch: ThresholdWatch = { key, device, queued: false, rule, state };
      if (state.brokenAt !== undefined) context.schedule(watch, state.brokenAt + (rule.for ?? 0));
      return watch;
    }
    const allowedMs = rule.times * (entry.everyMs ?? Number.POSITIVE_INFINITY);
    const isKept = kept !== undefined && "heardAt" in kept;
    const fresh = { quantity: rule.quantity ?? null, heardAt: this.#time.listenedMs, receivedMs: nowMs };
    const state: SilentState = isKept ? kept : { ...fresh, message: this.#message };
    const watch: SilentWatch = { key, device, queued: false, rule, allowedMs, state };
    if (!isKept) this.#mark(watch, false);
    this.#offline.adopt(watch);
    if (!state.raised) context.schedule(watch, state.heardAt + allowedMs);
    return watch;
  }

  /** Takes over the state kept for a key, unless it was kept for another kind of rule or another quantity. */
  #adopt(key: string, rule: Rule): StoredState | undefined {
    const state = this.#orphans.get(key);
    if (!state) return undefined;
    if ("heardAt" in state !== (rule.kind === "silent")) return undefined;
    if (state.quantity !== (rule.quantity ?? null)) return undefined;
    this.#orphans.delete(key);
    this.#gone.delete(key);
    return state;
  }

  #membersOf(place: string): ReadonlySet<string> {
    let members = this.#members.get(place);
    if (!members) {
      members = new Set(this.#registry.devicesAt(place));
      this.#members.set(place, members);
    }
    return members;
  }
}
