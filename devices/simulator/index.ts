export { type HistoryColumn, type HistoryPlan, simulateHistory } from "./history.js";
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
export type { Signal } from "./signal.js";
