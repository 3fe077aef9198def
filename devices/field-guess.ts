import { quantities } from "./quantity.js";
import { createResolver, unitsOf } from "./unit.js";

/** What was seen of a field. */
export interface FieldSamples {
  first: number;
  newest: number;
  min: number;
  max: number;
}

/** What a field most likely means. `sure`: its name says quantity and unit; `likely`: one of them is the usual one; `unsure`: a person decides. */
export interface FieldGuess {
  confidence: "sure" | "likely" | "unsure";
  /** As a source's map writes it; undefined where only the person knows, or the field is no measurement. */
  quantity?: string;
  /** True: most likely no measurement. */
  ignore?: true;
  /** Why it is thought so, or what to find out, in a sentence. */
  why: string;
}

/** Ends of names that are a unit, as our names end. Longer ones first. */
const unitEnds: readonly [end: RegExp, suffix: string][] = [
  [/_?(?:ug|µg)_?(?:per_?)?m_?3$/, "ug_m3"],
  [/_?mg_?(?:per_?)?m_?3$/, "mg_m3"],
  [/_?m3_?(?:per_?)?h$/, "m3_h"],
  [/_?(?:l_?(?:per_?)?min|lpm)$/, "l_min"],
  [/_(?:l_?(?:per_?)?h|lph)$/, "l_h"],
  [/_?kvarh$/, "kvarh"],
  [/_?kwh$/, "kwh"],
  [/_?mwh$/, "mwh"],
  [/_?wh$/, "wh"],
  [/_?gj$/, "gj"],
  [/_?mj$/, "mj"],
  [/_?(?:celsius|degc|deg_c|°c)$/, "celsius"],
  [/_?(?:fahrenheit|degf|deg_f)$/, "fahrenheit"],
  [/_?(?:percent|pct|%)$/, "percent"],
  [/_?hpa$/, "hpa"],
  [/_?kpa$/, "kpa"],
  [/_?mbar$/, "mbar"],
  [/_?ppm$/, "ppm"],
  [/_?ppb$/, "ppb"],
  [/_?dbm$/, "dbm"],
  [/_?litres?$|_?liters?$/, "l"],
  [/_?m3$/, "m3"],
  [/_kvar$/, "kvar"],
  [/_kva$/, "kva"],
  [/_kw$/, "kw"],
  [/_mv$/, "mv"],
  [/_ma$/, "ma"],
  [/_mm$/, "mm"],
  [/_cm$/, "cm"],
  [/_hz$/, "hz"],
  [/_kg$/, "kg"],
  [/_db$/, "db"],
  [/_pa$/, "pa"],
  [/_bar$/, "bar"],
  [/_va$/, "va"],
  [/_var$/, "var"],
  [/_w$/, "w"],
  [/_v$/, "v"],
  [/_a$/, "a"],
  [/_l$/, "l"],
  [/_c$/, "celsius"],
  [/_f$/, "fahrenheit"],
];

/** Names that quantities go by, the telling ones first. `usual`: the unit that nearly every maker means; without it they differ. */
const stems: readonly [name: RegExp, stem: string, usual?: string | undefined, classes?: string][] = [
  [/(?:^|_)(?:water|medium|flow)_temp(?:erature)?$/, "water_temperature", "celsius"],
  [/(?:^|_)(?:supply|forward|inlet|t1)_temp(?:erature)?$/, "supply_temperature", "celsius"],
  [/(?:^|_)(?:return|outlet|t2)_temp(?:erature)?$/, "return_temperature", "celsius"],
  [/(?:^|_)soil_(?:moisture|humidity|water)$/, "soil_moisture", "percent"],
  [/(?:^|_)(?:temp(?:erature)?|tmp)$/, "temperature", "celsius"],
  [/(?:^|_)(?:hum(?:idity)?|rh)$/, "humidity", "percent"],
  [/(?:^|_)(?:v_?bat|bat(?:tery)?_?v(?:olt(?:age)?)?)$/, "battery", "v"],
  [/(?:^|_)(?:bat(?:tery)?_?(?:level|soc|state)|soc)$/, "battery", "percent"],
  [/(?:^|_)bat(?:tery)?$/, "battery"],
  [/(?:^|_)co_?2$/, "co2", "ppm"],
  [/(?:^|_)pm_?1(?:_?0(?:_0)?)?$/, "pm1"],
  [/(?:^|_)pm_?2_?5$/, "pm2_5", "ug_m3"],
  [/(?:^|_)pm_?10$/, "pm10", "ug_m3"],
  [/(?:^|_)(?:baro(?:metric)?_|air_|atm_)?press(?:ure)?$/, "pressure", "hpa", "air-sensor weather-station"],
  [/(?:^|_)(?:pipe_|water_)?press(?:ure)?$/, "pressure"],
  [/(?:^|_)(?:e|energy|active_energy)_?(?:out|export(?:ed)?|returned)$|(?:^|_)total_?out$/, "energy_export"],
  [/(?:^|_)(?:generated|produced|yield)_?(?:energy|total)?$/, "energy_generated"],
  [/(?:^|_)(?:energy|consumption|total|total_act)$/, "heat", undefined, "heat-meter"],
  [/(?:^|_)(?:water|volume|total|consumption|counter|reading)$/, "water", "m3", "water-meter"],
  [/(?:^|_)(?:gas|volume|total|consumption|counter|reading)$/, "gas", "m3", "gas-meter"],
  [
    /(?:^|_)(?:e|energy|active_energy)_?(?:in|import(?:ed)?|consumed|total)$|(?:^|_)total_?in$/,
    "energy_import",
  ],
  [/(?:^|_)(?:energy|consumption|total|total_act)$/, "energy_import", undefined, "electricity-meter"],
  [/(?:^|_)apparent_?power$/, "apparent_power", "va"],
  [/(?:^|_)reactive_?power$/, "reactive_power", "var"],
  [/(?:^|_)power_?factor$|(?:^|_)(?:pf|cos_?phi)$/, "power_factor"],
  [/(?:^|_)(?:apower|(?:active_?|act_?)?power(?:_(?:curr|in|total))?)$/, "power", "w"],
  [/(?:^|_)(?:volt(?:age)?|u)$/, "voltage", "v", "electricity-meter pv-inverter"],
  [/(?:^|_)(?:curr(?:ent)?|i)$/, "current", "a", "electricity-meter pv-inverter"],
  [/(?:^|_)freq(?:uency)?$/, "frequency", "hz"],
  [/(?:^|_)(?:fill(?:ing)?(?:_?level)?|fullness)$/, "fill", "percent"],
  [/(?:^|_)dist(?:ance)?$/, "distance"],
  [/(?:^|_)(?:weight|mass)$/, "weight", "kg"],
  [/(?:^|_)tilt(?:ed)?$/, "tilted"],
  [/(?:^|_)lid(?:_?open)?$/, "lid_open"],
  [/(?:^|_)(?:water_?)?leak(?:age)?$/, "leak"],
  [/(?:^|_)flow(?:_?rate)?$/, "flow"],
  [/(?:^|_)rssi$/, "rssi", "dbm"],
  [/(?:^|_)snr$/, "snr", "db"],
  [/(?:^|_)(?:laeq|leq|noise|spl)$/, "laeq", "db"],
  [/(?:^|_)(?:no2|so2|o3|benzene|co)$/, ""],
  [/(?:^|_)wind_?speed$/, "wind_speed"],
  [/(?:^|_)wind_?dir(?:ection)?$/, "wind_direction", "degrees"],
  [/(?:^|_)rain(?:fall)?$/, "rain", "mm"],
  [/(?:^|_)(?:irradiance|solar_?radiation)$/, "irradiance", "w_m2"],
];

const housekeeping =
  /(?:^|_)(?:id|uptime|heap|vcc|rc|load|load_?avg|sleep|mqtt_?count|fcnt|f_?cnt|port|f_?port|seq(?:uence)?|version|mode|channel|tariff|interval|ts|time(?:stamp)?|link_?quality|lqi|count|index|status|error|code|alarm|flags?|type|year|month|day|hour|minute)$/;

const resolve = createResolver();

/** The name in lower case, its words divided by underscores; what follows the last word that tells something is left off. */
const plainOf = (field: string): string =>
  field
    .normalize("NFKC")
    .replaceAll(/kWh|MWh|kVArh|kVAr|kVA|kW|kPa|hPa|mV|mA/g, (unit) => `_${unit.toLowerCase()}`)
    .replaceAll(/([a-z\d])([A-Z])/g, "$1_$2")
    .toLowerCase()
    .replaceAll(/[^\p{L}\d%°]+/gu, "_")
    .replaceAll(/^_+|_+$/g, "")
    .replace(/_(?:ds|sht|bme|scd|sensor|value|ext|int|avg)\d*$/, "");

/** `power_l1`, `voltage_b` and their like: the phase of a three-phase name, and the name without it. */
function phaseOf(name: string): { base: string; phase: string } {
  const found = /^(.*?)_?(?:phase_?|l)?([123abc])$/.exec(name);
  const [, base = "", mark = ""] = found ?? [];
  const isPhased = /(?:^|_)(?:volt(?:age)?|curr(?:ent)?|(?:a|active_?)?power|u|i|p)$/.test(base);
  if (!found || !isPhased) return { base: name, phase: "" };
  return { base, phase: `_l${"abc".includes(mark) ? "abc".indexOf(mark) + 1 : mark}` };
}

const unclear = "nothing in the vocabulary goes by this name: look it up in the device's manual";

/**
 * Guesses what a field means from its name, what was seen of it, and the class of its device. The person decides: a unit that makers
 * differ in is left to them, and so is a number that the quantity can't have.
 */
export function guessField(field: string, samples: FieldSamples, deviceClass: string): FieldGuess {
  const plain = plainOf(field);
  const exact = resolve(plain, undefined, deviceClass);
  if (exact) return judged(plain, samples, deviceClass, "sure", "its name is the vocabulary's");
  for (const [end, suffix] of [...unitEnds, [/$/, ""] as const]) {
    if (!end.test(plain)) continue;
    const named = plain.replace(end, "").replaceAll(/_+$/g, "");
    const { base, phase } = phaseOf(named);
    const found = stemOf(base, deviceClass, suffix, phase);
    if (found) return told(found, suffix, samples, deviceClass);
  }
  if (housekeeping.test(plain))
    return { confidence: "likely", ignore: true, why: "its name says housekeeping, not a measurement" };
  return { confidence: "unsure", why: unclear };
}

interface Found {
  stem: string;
  usual: string | undefined;
  /** The name was taken as its device's class has it. */
  byClass: boolean;
}

function stemOf(base: string, deviceClass: string, suffix: string, phase: string): Found | undefined {
  for (const [name, given, usual, classes] of stems) {
    if (!name.test(base)) continue;
    if (classes !== undefined && !classes.split(" ").includes(deviceClass)) continue;
    const stem = `${given === "" ? (base.split("_").at(-1) ?? "") : given}${phase}`;
    const isThere = suffix === "" ? unitsOf(stem).length > 0 : resolve(`${stem}_${suffix}`, undefined, "");
    if (isThere) return { stem, usual, byClass: classes !== undefined };
  }
  return undefined;
}

function told({ stem, usual, byClass }: Found, suffix: string, seen: FieldSamples, kind: string): FieldGuess {
  if (suffix !== "") {
    const name = `${stem}_${suffix}`;
    return byClass
      ? judged(name, seen, kind, "likely", "its name says the unit; the class of its device the rest")
      : judged(name, seen, kind, "sure", "its name says quantity and unit");
  }
  if (quantities.get(stem)) return judged(stem, seen, kind, "likely", "its name says the quantity");
  if (stem === "battery" && usual === undefined) {
    const isVolts = seen.max <= 5 && !Number.isInteger(seen.newest);
    const name = isVolts ? "battery_v" : "battery_percent";
    const isClear = isVolts || (seen.max > 5 && seen.max <= 100);
    if (isClear) return judged(name, seen, kind, "likely", "what was seen fits the unit");
  }
  if (usual !== undefined)
    return judged(`${stem}_${usual}`, seen, kind, "likely", "its unit is the one that makers usually mean");
  const units = unitsOf(stem).join(", ");
  return {
    confidence: "unsure",
    why: `probably ${stem}, and its name says no unit (${units}): look it up, then write quantity: ${stem}_UNIT`,
  };
}

/** A guess, unless what was seen can't be the quantity. */
function judged(
  name: string,
  { min, max }: FieldSamples,
  deviceClass: string,
  confidence: "sure" | "likely",
  why: string,
): FieldGuess {
  const conversion = resolve(name, undefined, deviceClass);
  if (!conversion) return { confidence: "unsure", why: unclear };
  const { quantity, convert = (value: number): number => value } = conversion;
  const [least, most] = quantity.plausible;
  const odd = [min, max].find((one) => convert(one) < least || convert(one) > most);
  const isState = quantity.kind === "state" && [min, max].some((one) => one !== 0 && one !== 1);
  if (odd === undefined && !isState) return { confidence, quantity: name, why };
  return {
    confidence: "unsure",
    why: `by its name ${name}, but ${odd ?? max} can't be that: does it need a scale, or another unit?`,
  };
}
