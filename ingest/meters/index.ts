export { AnchorSearch } from "./anchor.js";
export { beginningOf, type NamePlate, registerOf } from "./described.js";
export {
  forget,
  type MeterAccount,
  type MeterNews,
  type MeterUpdate,
  passOver,
  readMeter,
  settledUntil,
  updateMeter,
} from "./account.js";
export type { Change, Held, Interval, Mark, MeterOptions, Why } from "./interval.js";
export { type Correction, type LifeEntry, readLife, type Span } from "./life.js";
export type { Reading } from "./reading.js";
export { modulusOf, type Register } from "./register.js";
export { addBuckets, bookedTotal, type Bucket, spread } from "./spread.js";
export type { Omission, Skipped } from "./track.js";
