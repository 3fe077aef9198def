export { type FaultKind, faultKinds, type Faults, parseFaults } from "./fault.js";
export { type FleetOptions, type FleetProgress, type Publication, runFleet } from "./fleet.js";
export { type HistoryColumn, type HistoryPlan, simulateHistory } from "./history.js";
export type { Login } from "./link.js";
export {
  createModel,
  createModelIn,
  createScene,
  type DeviceModel,
  type ModelOptions,
  nextReportMs,
  type Scene,
  simulatedClasses,
} from "./model.js";
export type { Counts, FleetReport } from "./report.js";
export type { Signal } from "./signal.js";
export { encoderOf, productOf } from "./products/table.js";
export { cityYamlFor, type CityYamlOptions, syntheticDevices } from "./synthetic.js";
