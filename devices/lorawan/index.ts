export { type ExampleReport, type ExampleResult, checkExamples, testExamples } from "./example.js";
export {
  type CodecSource,
  type Json,
  type JsonObject,
  openSandbox,
  type Outcome,
  type PayloadCodec,
  type Sandbox,
  type Uplink,
} from "./payload-codec.js";
