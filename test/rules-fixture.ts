import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DeviceEntry, PlaceEntry, RegistryView, Rule, ThresholdRule } from "../devices/index.js";
import type { AlertTransition } from "../ingest/alerts/port.js";
import { openRules, type RulesOptions } from "../ingest/rules/index.js";
import type { RuleEngine } from "../ingest/rules/port.js";
import type { IdentifiedValue } from "../ingest/stores/port.js";
import { openState, type StateStore } from "../ingest/stores/state.js";

/** Where the tests' time begins. */
export const startMs = Date.parse("2026-11-23T10:00:00Z");
export const minute = 60_000;

/** A registry that tests can change. */
export class TestRegistry implements RegistryView {
  readonly city = { name: "Kraków", timeZone: "Europe/Warsaw", language: "pl" as const };
  readonly entries = new Map<string, DeviceEntry>();
  readonly tree: PlaceEntry[] = [
    { id: "krakow", kind: "city", name: "Kraków" },
    { id: "krakow/podgorze", kind: "district", name: "XIII Podgórze" },
    { id: "krakow/podgorze/szkola-25", kind: "building", name: "Szkoła 25" },
    { id: "krakow/nowa-huta", kind: "district", name: "XVIII Nowa Huta" },
  ];

  constructor(devices: Partial<DeviceEntry>[] = [{}]) {
    for (const device of devices) this.add(device);
  }

  add(device: Partial<DeviceEntry>): void {
    const entry: DeviceEntry = {
      id: "bin-1",
      class: "bin",
      place: "krakow/podgorze",
      everyMs: 15 * minute,
      sinceMs: startMs,
      ...device,
    };
    this.entries.set(entry.id, entry);
  }

  device(id: string): DeviceEntry | undefined {
    return this.entries.get(id);
  }

  devices(): DeviceEntry[] {
    return [...this.entries.values()];
  }

  byIdentifier(): undefined {
    return undefined;
  }

  sources(): [] {
    return [];
  }

  place(id: string): PlaceEntry | undefined {
    return this.tree.find((place) => place.id === id);
  }

  places(): PlaceEntry[] {
    return this.tree;
  }

  devicesAt(place: string): string[] {
    return this.devices()
      .filter((device) => device.place === place || device.place.startsWith(`${place}/`))
      .map((device) => device.id);
  }
}

/** A threshold rule on the fill of bins, unless told otherwise. */
export function fillRule(parts: Partial<ThresholdRule> = {}): ThresholdRule {
  return {
    id: "full",
    kind: "threshold",
    quantity: "fill_percent",
    above: 80,
    severity: "warning",
    title: { pl: "Pełny kosz", en: "Bin full" },
    ...parts,
  };
}

/** A folder that goes when the test ends. */
export function temporaryFolder(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "obieg-test-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** The rules with a clock and a store of the test's own. */
export class RulesBench {
  readonly folder = temporaryFolder();
  readonly registry: TestRegistry;
  readonly #options: RulesOptions;
  #rules: readonly Rule[];
  state: StateStore;
  engine: RuleEngine;
  nowMs = startMs;
  recorded: AlertTransition[] = [];
  #sequence = 0;

  constructor(rules: readonly Rule[], registry = new TestRegistry(), options: RulesOptions = {}) {
    this.registry = registry;
    this.#rules = rules;
    this.#options = options;
    this.state = openState(this.folder.path);
    this.engine = openRules(this.state, rules, registry, options);
  }

  value(number: number, parts: Partial<IdentifiedValue> = {}): IdentifiedValue {
    this.#sequence += 1;
    return {
      device: "bin-1",
      quantity: "fill_percent",
      attributes: "",
      timeMs: this.nowMs,
      value: number,
      verdict: "stored",
      late: false,
      receivedMs: this.nowMs,
      message: this.#sequence,
      sequence: this.#sequence,
      ...parts,
    };
  }

  /** Judges as the pipeline does; gives what was recorded, shortened to `rule device state`. */
  async judge(values: readonly IdentifiedValue[] = []): Promise<string[]> {
    const transitions =
      values.length === 0 ? this.engine.tick(this.nowMs) : this.engine.fold(values, this.nowMs);
    if (this.engine.dirty || transitions.length > 0) {
      await this.state.transaction(() => {
        this.recorded.push(...transitions);
        this.engine.save();
      });
    }
    return transitions.map(({ rule, device, state }) => `${rule} ${device} ${state}`);
  }

  /** Lets time pass in one step and judges it. */
  async pass(ms: number): Promise<string[]> {
    this.nowMs += ms;
    return this.judge();
  }

  async sends(number: number, parts: Partial<IdentifiedValue> = {}): Promise<string[]> {
    return this.judge([this.value(number, parts)]);
  }

  async restart(rules = this.#rules): Promise<void> {
    this.#rules = rules;
    await this.state.close();
    this.state = openState(this.folder.path);
    this.engine = openRules(this.state, rules, this.registry, this.#options);
  }

  async end(): Promise<void> {
    await this.state.close();
    this.folder.remove();
  }
}
