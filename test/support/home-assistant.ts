/** Source: Home Assistant core, components/mqtt/schemas.py, DEVICE_DISCOVERY_SCHEMA; components of sensor.py and binary_sensor.py. */
export const discoverySchema = {
  type: "object",
  required: ["device", "origin", "components"],
  additionalProperties: false,
  properties: {
    device: {
      type: "object",
      required: ["identifiers"],
      additionalProperties: false,
      properties: {
        identifiers: { type: "array", minItems: 1, items: { type: "string" } },
        name: { type: "string" },
        model: { type: "string" },
        serial_number: { type: "string" },
        suggested_area: { type: "string" },
      },
    },
    origin: {
      type: "object",
      required: ["name"],
      additionalProperties: false,
      properties: { name: { type: "string" }, sw_version: { type: "string" } },
    },
    components: {
      type: "object",
      minProperties: 1,
      additionalProperties: {
        type: "object",
        required: ["platform", "unique_id"],
        additionalProperties: false,
        properties: {
          platform: { enum: ["sensor", "binary_sensor"] },
          name: { type: "string" },
          unique_id: { type: "string" },
          value_template: { type: "string" },
          device_class: { type: "string" },
          unit_of_measurement: { type: "string" },
          state_class: { enum: ["measurement", "measurement_angle", "total_increasing"] },
          payload_on: { type: "string" },
          payload_off: { type: "string" },
          entity_category: { enum: ["diagnostic"] },
          expire_after: { type: "integer", minimum: 1 },
        },
      },
    },
    state_topic: { type: "string" },
    availability: {
      type: "array",
      items: {
        type: "object",
        required: ["topic"],
        additionalProperties: false,
        properties: { topic: { type: "string" } },
      },
    },
    qos: { enum: [0, 1, 2] },
  },
};
/**
 * Units and classes of statistics that Home Assistant takes with a device class.
 * Source: Home Assistant core, components/sensor/const.py, DEVICE_CLASS_UNITS and DEVICE_CLASS_STATE_CLASSES.
 */
const m = "measurement";
const t = "total_increasing";
export const sensorClasses: Record<
  string,
  [units: (string | undefined)[], statistics: (string | undefined)[]]
> = {
  distance: [["mm"], [m]],
  weight: [["kg"], [m, undefined]],
  temperature: [["°C"], [m]],
  energy: [["kWh"], [t]],
  power: [["W"], [m]],
  apparent_power: [["VA"], [m]],
  reactive_power: [["var"], [m]],
  voltage: [["V"], [m]],
  current: [["A"], [m]],
  frequency: [["Hz"], [m]],
  power_factor: [["%", undefined], [m]],
  volume_flow_rate: [["m³/h"], [m]],
  pressure: [["kPa"], [m]],
  atmospheric_pressure: [["hPa"], [m]],
  signal_strength: [["dB", "dBm"], [m]],
  sound_pressure: [["dB"], [m]],
  wind_speed: [["m/s"], [m]],
  wind_direction: [["°"], ["measurement_angle"]],
  irradiance: [["W/m²"], [m]],
  precipitation: [["mm"], [undefined]],
  gas: [["m³"], [t]],
  water: [["m³"], [t]],
  volume: [["m³"], [t]],
  pm1: [["µg/m³"], [m]],
  pm25: [["µg/m³"], [m]],
  pm10: [["µg/m³"], [m]],
  nitrogen_dioxide: [["µg/m³"], [m]],
  sulphur_dioxide: [["µg/m³"], [m]],
  ozone: [["µg/m³"], [m]],
  carbon_dioxide: [["ppm"], [m]],
  humidity: [["%"], [m]],
  moisture: [["%"], [m]],
  battery: [["%"], [m]],
};
/** Classes of binary sensors that we use. Source: Home Assistant core, components/binary_sensor. */
export const binaryClasses: ReadonlySet<string> = new Set(["moisture", "opening"]);
