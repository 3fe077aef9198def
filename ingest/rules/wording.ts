import type { BilingualText, RegistryView, Rule } from "../../devices/index.js";
import type { AlertTransition } from "../alerts/port.js";
import type { Wording } from "./watch.js";

type Language = keyof BilingualText;

/** Gives the canonical unit of a quantity, for instance `kWh`; "" when it has none. */
export type UnitOf = (quantity: string) => string;

function number(value: number, language: Language): string {
  return new Intl.NumberFormat(language, { maximumSignificantDigits: 6 }).format(value);
}

function amount(value: number, unit: string, language: Language): string {
  return unit === "" ? number(value, language) : `${number(value, language)} ${unit}`;
}

function duration(ms: number, language: Language): string {
  const [size, unit] =
    ms >= 172_800_000
      ? [86_400_000, language === "pl" ? "dni" : "days"]
      : ms >= 7_200_000
        ? [3_600_000, language === "pl" ? "godz." : "h"]
        : ms >= 120_000
          ? [60_000, "min"]
          : [1_000, "s"];
  return `${number(Math.round(ms / size), language)} ${unit}`;
}

function limitOf(rule: Rule, allowedMs: number | undefined): number {
  if (rule.kind === "silent") return (allowedMs ?? 0) / 1_000;
  return rule.above ?? rule.below ?? 0;
}

function offlineText(name: string, seconds: number | null, isBack: boolean): BilingualText {
  const ms = (seconds ?? 0) * 1_000;
  return isBack
    ? {
        pl: `${name}: znów połączone po ${duration(ms, "pl")}`,
        en: `${name}: online again after ${duration(ms, "en")}`,
      }
    : {
        pl: `${name}: zgłosiło rozłączenie ${duration(ms, "pl")} temu`,
        en: `${name}: reported itself offline ${duration(ms, "en")} ago`,
      };
}

function raisedText(
  rule: Rule,
  name: string,
  unit: string,
  value: number | null,
  limit: number,
): BilingualText {
  if (rule.kind === "silent") {
    const what = rule.quantity;
    const ms = (value ?? limit) * 1_000;
    return {
      pl: `${name}: brak ${what ? `wartości ${what}` : "danych"} od ${duration(ms, "pl")}`,
      en: `${name}: no ${what ? `value of ${what}` : "data"} for ${duration(ms, "en")}`,
    };
  }
  const isAbove = rule.above !== undefined;
  const lasting = rule.for ?? 0;
  const text = (language: Language, is: string, side: string, since: string): string =>
    `${name}: ${rule.quantity} ${is} ${value === null ? "?" : amount(value, unit, language)}, ` +
    `${side} ${amount(limit, unit, language)}${lasting > 0 ? ` ${since} ${duration(lasting, language)}` : ""}`;
  return {
    pl: text("pl", "=", isAbove ? "powyżej" : "poniżej", "od co najmniej"),
    en: text("en", "is", isAbove ? "above" : "below", "for at least"),
  };
}

function resolvedText(rule: Rule, name: string, unit: string, value: number | null): BilingualText {
  if (value === null) {
    return {
      pl: `${name}: reguła lub urządzenie już nie obowiązuje`,
      en: `${name}: the rule or the device no longer applies`,
    };
  }
  if (rule.kind === "silent") {
    const ms = value * 1_000;
    return {
      pl: `${name}: dane znów przychodzą po ${duration(ms, "pl")}`,
      en: `${name}: data comes again after ${duration(ms, "en")}`,
    };
  }
  return {
    pl: `${name}: ${rule.quantity} wróciło do ${amount(value, unit, "pl")}`,
    en: `${name}: ${rule.quantity} is back at ${amount(value, unit, "en")}`,
  };
}

/** Makes the words of transitions from the registry's names and the vocabulary's units. */
export function openWording(registry: RegistryView, unitOf: UnitOf): Wording {
  return (rule, device, facts, raised) => {
    const entry = registry.device(device);
    const place = raised?.place ?? entry?.place ?? "";
    const placeName = registry.place(place)?.name;
    const name = placeName === undefined ? device : `${device} (${placeName})`;
    const allowedMs =
      rule.kind === "silent" && entry?.everyMs !== undefined ? entry.everyMs * rule.times : undefined;
    const unit = raised?.unit ?? (rule.kind === "silent" ? "s" : unitOf(rule.quantity));
    const isOffline = facts.isOffline === true && rule.kind === "silent";
    const limit = raised?.limit ?? limitOf(rule, isOffline ? rule.offlineFor : allowedMs);
    const head: Omit<AlertTransition, "state" | "message"> = {
      rule: rule.id,
      kind: rule.kind,
      severity: raised?.severity ?? rule.severity,
      device,
      place,
      quantity: rule.quantity ?? null,
      value: facts.value,
      limit,
      unit,
      sinceMs: facts.sinceMs,
      atMs: facts.atMs,
      title: rule.title,
    };
    if (isOffline) {
      const state = raised ? "resolved" : "raised";
      return { ...head, state, message: offlineText(name, facts.value, raised !== undefined) };
    }
    return raised
      ? { ...head, state: "resolved", message: resolvedText(rule, name, unit, facts.value) }
      : { ...head, state: "raised", message: raisedText(rule, name, unit, facts.value, limit) };
  };
}

/** Ends an alert whose rule or device is gone. */
export function withdrawText(raised: AlertTransition, atMs: number): AlertTransition {
  return {
    ...raised,
    state: "resolved",
    value: null,
    atMs,
    message: {
      pl: `${raised.device}: reguła lub urządzenie już nie obowiązuje`,
      en: `${raised.device}: the rule or the device no longer applies`,
    },
  };
}
