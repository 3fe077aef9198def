import { type RegistryView, type Rule, unitOf } from "../../devices/index.js";
import type { StateStore } from "../stores/port.js";
import { Engine } from "./engine.js";
import type { RuleEngine } from "./port.js";
import type { UnitOf } from "./wording.js";

/** What the rules may be given beside what they need. */
export interface RulesOptions {
  /** Canonical unit of a quantity, for the words of alerts; the vocabulary's unless given. */
  unitOf?: UnitOf;
  /** A clock that can't be set, milliseconds; with it a leap of the wall clock isn't taken for silence. */
  monotonic?: () => number;
}

/** Opens the rules on the state they left. Writes the table `rules`; its format stands in the room's README. */
export function openRules(
  state: StateStore,
  rules: readonly Rule[],
  registry: RegistryView,
  options: RulesOptions = {},
): RuleEngine {
  return new Engine(state, rules, registry, options.unitOf ?? unitOf, options.monotonic);
}
