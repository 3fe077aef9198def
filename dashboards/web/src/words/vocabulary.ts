import type { Language } from "./plural.ts";

export { quantityName } from "../../../../devices/quantity-name.js";

type Names = Record<string, [pl: string, en: string]>;

const classes: Names = {
  bin: ["Pojemnik", "Bin"],
  truck: ["Śmieciarka", "Collection truck"],
  weighbridge: ["Waga pomostowa", "Weighbridge"],
  container: ["Kontener", "Container"],
  "electricity-meter": ["Licznik prądu", "Electricity meter"],
  "heat-meter": ["Ciepłomierz", "Heat meter"],
  "gas-meter": ["Gazomierz", "Gas meter"],
  "water-meter": ["Wodomierz", "Water meter"],
  "air-sensor": ["Czujnik powietrza", "Air sensor"],
  "weather-station": ["Stacja pogodowa", "Weather station"],
  "soil-sensor": ["Czujnik gleby", "Soil sensor"],
  "pv-inverter": ["Falownik fotowoltaiczny", "PV inverter"],
  "noise-sensor": ["Czujnik hałasu", "Noise sensor"],
};

/** Which quantity stands for a device at a glance: the first of these that it has sent. */
const foremost = [
  "fill_percent",
  "collected_kg",
  "power_w",
  "energy_import_kwh",
  "energy_export_kwh",
  "energy_generated_kwh",
  "heat_kwh",
  "gas_m3",
  "water_m3",
  "leak",
  "pm2_5_ug_m3",
  "pm10_ug_m3",
  "temperature_celsius",
];

const units: Record<string, string> = {
  Cel: "°C",
  celsius: "°C",
  "ug/m3": "µg/m³",
  "mg/m3": "mg/m³",
  m3: "m³",
  "m3/h": "m³/h",
  "W/m2": "W/m²",
  deg: "°",
  degrees: "°",
  percent: "%",
  kwh: "kWh",
  "[ppm]": "ppm",
  "dB[SPL]": "dB",
  "dB(A)": "dB(A)",
  "kW.h": "kWh",
  "kvar.h": "kvarh",
  "1": "",
};

const reasons: Names = {
  "unknown-device": ["Nieznane urządzenie", "Unknown device"],
  "no-decoder": ["Ramka bez dekodera", "Frame without a decoder"],
  "codec-errors": ["Dekoder zgłosił błąd", "The decoder gave errors"],
  "codec-threw": ["Dekoder przerwał pracę", "The decoder threw an exception"],
  "codec-time": ["Dekoder nie skończył na czas", "The decoder took too long"],
  "codec-memory": ["Dekoder zużył za dużo pamięci", "The decoder took too much memory"],
  "codec-stack": ["Dekoder zagnieździł się za głęboko", "The decoder called itself too deep"],
  "codec-output": ["Dekoder podał zły wynik", "The decoder gave a result that can't be taken"],
  "codec-input": ["Za długa ramka", "Frame too long"],
  "codec-invalid": ["Błędny dekoder", "The decoder can't be loaded"],
  "decoder-failed": ["Błąd programu przy odczycie", "The program failed at reading it"],
  "codec-warning": ["Ostrzeżenie dekodera", "Warning of the decoder"],
  "unmapped-field": ["Pole bez wielkości", "Field without a quantity"],
  "invalid-identifier": ["Błędna nazwa urządzenia", "Invalid name of a device"],
  "unknown-quantity": ["Nieznana wielkość", "Unknown quantity"],
  "implausible-value": ["Wartość niewiarygodna", "Implausible value"],
  "invalid-attribute": ["Błędny atrybut", "Invalid attribute"],
  "invalid-json": ["Błędny JSON", "Invalid JSON"],
  "invalid-time": ["Błędny czas", "Invalid time"],
  "not-finite": ["Wartość nie jest liczbą skończoną", "Not a finite number"],
  "time-in-future": ["Czas w przyszłości", "Time in the future"],
  "time-too-old": ["Czas zbyt odległy", "Time too long ago"],
  "too-many-fields": ["Za dużo pól", "Too many fields"],
  "too-many-readings": ["Za dużo odczytów", "Too many readings"],
  "wrong-type": ["Zły typ wartości", "Wrong type"],
  "empty-batch": ["Pusta lista odczytów", "Empty list of readings"],
  "no-codec": ["Nieznany format", "Unknown format"],
};

const fractions: Names = {
  paper: ["Papier", "Paper"],
  glass: ["Szkło", "Glass"],
  plastics_metals: ["Metale i tworzywa sztuczne", "Plastics and metals"],
  bio: ["Bioodpady", "Bio waste"],
  mixed: ["Odpady zmieszane", "Mixed waste"],
  bulky: ["Odpady wielkogabarytowe", "Bulky waste"],
  textiles: ["Tekstylia", "Textiles"],
  electronics: ["Elektroodpady", "Electronics"],
  construction: ["Odpady budowlane", "Construction waste"],
  green: ["Odpady zielone", "Green waste"],
};

const pick = (names: Names, key: string, language: Language): string | undefined =>
  names[key]?.[language === "pl" ? 0 : 1];

/** What people call a class of devices. */
export const className = (name: string, language: Language): string =>
  pick(classes, name, language) ?? name.replaceAll("-", " ");

/** What people call a fraction of waste. */
export const fractionName = (name: string, language: Language): string =>
  pick(fractions, name, language) ?? name.replaceAll("_", " ");

/** What people call a reason of quarantine; undefined when the page knows only its code. */
export const reasonName = (code: string, language: Language): string | undefined =>
  pick(reasons, code, language);

/** A unit as it is printed: UCUM codes become signs. */
export const unitSign = (unit: string): string => units[unit] ?? unit;

/** Place of a quantity in the order of interest; small first. Housekeeping (battery, radio) comes last. */
const rankOf = (quantity: string): number => {
  if (/^(battery|rssi|snr|link)_/.test(quantity)) return 1000;
  const place = foremost.indexOf(quantity);
  return place === -1 ? 100 : place;
};

/** Orders by interest, what one looks for first first. */
export const byInterest = (one: { quantity: string }, other: { quantity: string }): number =>
  rankOf(one.quantity) - rankOf(other.quantity);
