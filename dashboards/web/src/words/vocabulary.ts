import type { Language } from "./plural.ts";

type Names = Record<string, [pl: string, en: string]>;

const quantities: Names = {
  fill_percent: ["Zapełnienie", "Fill level"],
  distance_mm: ["Odległość do powierzchni", "Distance to surface"],
  weight_kg: ["Masa", "Weight"],
  tilted: ["Przechylony", "Tilted"],
  lid_open: ["Klapa otwarta", "Lid open"],
  emptied: ["Opróżnienia", "Emptied"],
  collected_kg: ["Zebrana masa", "Collected mass"],
  gross_kg: ["Masa brutto", "Gross mass"],
  tare_kg: ["Tara", "Tare"],
  energy_import_kwh: ["Energia pobrana", "Energy imported"],
  energy_export_kwh: ["Energia oddana", "Energy exported"],
  energy_generated_kwh: ["Energia wytworzona", "Energy generated"],
  energy_import_t1_kwh: ["Energia pobrana, strefa 1", "Energy imported, zone 1"],
  energy_import_t2_kwh: ["Energia pobrana, strefa 2", "Energy imported, zone 2"],
  energy_import_t3_kwh: ["Energia pobrana, strefa 3", "Energy imported, zone 3"],
  energy_import_t4_kwh: ["Energia pobrana, strefa 4", "Energy imported, zone 4"],
  reactive_energy_import_kvarh: ["Energia bierna pobrana", "Reactive energy imported"],
  energy_export_t1_kwh: ["Energia oddana, strefa 1", "Energy exported, zone 1"],
  energy_export_t2_kwh: ["Energia oddana, strefa 2", "Energy exported, zone 2"],
  energy_export_t3_kwh: ["Energia oddana, strefa 3", "Energy exported, zone 3"],
  energy_export_t4_kwh: ["Energia oddana, strefa 4", "Energy exported, zone 4"],
  reactive_energy_export_kvarh: ["Energia bierna oddana", "Reactive energy exported"],
  current_n_a: ["Prąd N", "Current N"],
  power_w: ["Moc", "Power"],
  power_l1_w: ["Moc L1", "Power L1"],
  power_l2_w: ["Moc L2", "Power L2"],
  power_l3_w: ["Moc L3", "Power L3"],
  apparent_power_va: ["Moc pozorna", "Apparent power"],
  reactive_power_var: ["Moc bierna", "Reactive power"],
  voltage_v: ["Napięcie", "Voltage"],
  voltage_l1_v: ["Napięcie L1", "Voltage L1"],
  voltage_l2_v: ["Napięcie L2", "Voltage L2"],
  voltage_l3_v: ["Napięcie L3", "Voltage L3"],
  current_a: ["Prąd", "Current"],
  current_l1_a: ["Prąd L1", "Current L1"],
  current_l2_a: ["Prąd L2", "Current L2"],
  current_l3_a: ["Prąd L3", "Current L3"],
  frequency_hz: ["Częstotliwość", "Frequency"],
  power_factor: ["Współczynnik mocy", "Power factor"],
  heat_kwh: ["Ciepło", "Heat"],
  heat_volume_m3: ["Objętość nośnika ciepła", "Heat carrier volume"],
  flow_m3_h: ["Przepływ", "Flow"],
  supply_temperature_celsius: ["Temperatura zasilania", "Supply temperature"],
  return_temperature_celsius: ["Temperatura powrotu", "Return temperature"],
  error_flags: ["Kody błędów", "Error flags"],
  gas_m3: ["Gaz", "Gas"],
  water_m3: ["Woda", "Water"],
  reverse_water_m3: ["Woda, przepływ wsteczny", "Water, reverse"],
  pressure_kpa: ["Ciśnienie", "Pressure"],
  water_temperature_celsius: ["Temperatura wody", "Water temperature"],
  leak: ["Wyciek", "Leak"],
  pm1_ug_m3: ["PM1", "PM1"],
  pm2_5_ug_m3: ["PM2,5", "PM2.5"],
  pm10_ug_m3: ["PM10", "PM10"],
  no2_ug_m3: ["Dwutlenek azotu NO₂", "Nitrogen dioxide NO₂"],
  so2_ug_m3: ["Dwutlenek siarki SO₂", "Sulphur dioxide SO₂"],
  o3_ug_m3: ["Ozon O₃", "Ozone O₃"],
  co_mg_m3: ["Tlenek węgla CO", "Carbon monoxide CO"],
  benzene_ug_m3: ["Benzen", "Benzene"],
  co2_ppm: ["Dwutlenek węgla CO₂", "Carbon dioxide CO₂"],
  temperature_celsius: ["Temperatura", "Temperature"],
  humidity_percent: ["Wilgotność", "Humidity"],
  pressure_hpa: ["Ciśnienie", "Air pressure"],
  laeq_db: ["Hałas LAeq", "Noise LAeq"],
  wind_speed_m_s: ["Prędkość wiatru", "Wind speed"],
  wind_direction_degrees: ["Kierunek wiatru", "Wind direction"],
  rain_mm: ["Opad", "Rain"],
  irradiance_w_m2: ["Nasłonecznienie", "Irradiance"],
  soil_moisture_percent: ["Wilgotność gleby", "Soil moisture"],
  inverter_temperature_celsius: ["Temperatura falownika", "Inverter temperature"],
  battery_percent: ["Bateria", "Battery"],
  battery_v: ["Napięcie baterii", "Battery voltage"],
  rssi_dbm: ["Siła sygnału", "Signal strength"],
  snr_db: ["Stosunek sygnału do szumu", "Signal to noise"],
  link_margin_db: ["Zapas łącza", "Link margin"],
};

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

/** What people call a quantity; its own name with spaces when the page doesn't know it. */
export const quantityName = (name: string, language: Language): string =>
  pick(quantities, name, language) ?? name.replaceAll("_", " ");

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
export const rankOf = (quantity: string): number => {
  if (/^(battery|rssi|snr|link)_/.test(quantity)) return 1000;
  const place = foremost.indexOf(quantity);
  return place === -1 ? 100 : place;
};
