export { type Broker, type BrokerOptions, startBroker } from "./broker.js";
export type { BrokerCounters } from "./counters.js";
export { type BrokerLimits, defaultLimits } from "./limits.js";
export type { CredentialSnapshot } from "./rights.js";
