import { surroundings } from "./surroundings.js";

/**
 * What stands between a maker's codec and us, as JavaScript that runs inside the sandbox before the codec. Its value is a
 * function: given the functions of a codec, it returns the one entry `text => text` of the sandbox. The entry uses only what it took hold of before the codec ran, so that a codec can't bend how its result is copied out.
 * Source: The Things Stack, payload formatters in JavaScript; ChirpStack v4, JavaScript codecs; ChirpStack v3 `Decode`.
 */
export const realm = String.raw`
(() => {
"use strict";
const { apply, construct, ownKeys } = Reflect;
const { getOwnPropertyDescriptor, getOwnPropertyNames, getPrototypeOf, defineProperty, hasOwn } = Object;
const { parse, stringify } = JSON;
const { isArray } = Array;
const { isFinite, isInteger } = Number;
const isView = ArrayBuffer.isView;
const RealDate = Date, RealString = String, RealNumber = Number, RealError = Error, RealInternalError = InternalError;
const { toISOString } = RealDate.prototype;
const { slice } = RealString.prototype;
const viewLength = getOwnPropertyDescriptor(getPrototypeOf(Uint8Array.prototype), "length").get;
const add = (name, value) => defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });

${surroundings}
const limits = { depth: 8, fields: 1000, text: 1000, faults: 100 };
const tooMuch = {};
const textFrom = (value, most = limits.text) => {
  try { return apply(slice, typeof value === "string" ? value : "" + value, [0, most]); } catch { return "a value without a text"; }
};
const messageOf = (thrown) => {
  try {
    if (thrown !== null && typeof thrown === "object") return textFrom(thrown.name, 60) + ": " + textFrom(thrown.message, 200);
  } catch {}
  return textFrom(thrown, 200);
};
const step = (key) => textFrom(key, 128).replace(/~/g, "~0").replace(/\//g, "~1");

/* Writes a value as JSON within bounds; what can't be taken is a fault of its field. */
const copy = (root, faults) => {
  let fields = 0;
  const above = [], names = [];
  const fault = (depth, code, detail) => {
    let path = "";
    for (let i = 0; i < depth; i += 1) path += "/" + step(names[i]);
    if (faults.length < limits.faults) faults[faults.length] = { code, path, detail };
  };
  const write = (value, depth) => {
    if (++fields > limits.fields) throw tooMuch;
    if (value === null) return "null";
    switch (typeof value) {
      case "string":
        return value.length > limits.text ? fault(depth, "codec-output", "a text of more than " + limits.text + " characters") : stringify(value);
      case "number":
        return isFinite(value) ? "" + value : fault(depth, "not-finite", "the codec gave " + value);
      case "boolean": return value ? "true" : "false";
      case "bigint": return isInteger(RealNumber(value)) ? "" + RealNumber(value) : fault(depth, "not-finite", "a bigint beyond a number's range");
      case "undefined": return undefined;
      case "object": break;
      default: return fault(depth, "wrong-type", "the codec gave a " + typeof value);
    }
    if (value instanceof RealDate) {
      try { return stringify(apply(toISOString, value, [])); } catch { return fault(depth, "invalid-time", "an invalid Date"); }
    }
    for (let i = 0; i < depth; i += 1) if (above[i] === value) return fault(depth, "codec-output", "a cycle: the value holds itself");
    if (depth >= limits.depth) return fault(depth, "codec-output", "nested more than " + limits.depth + " deep");
    above[depth] = value;
    return isArray(value) || isView(value) ? list(value, depth) : record(value, depth);
  };
  const list = (value, depth) => {
    const length = isArray(value) ? value.length : apply(viewLength, value, []);
    if (length > limits.fields) throw tooMuch;
    let text = "[";
    for (let i = 0; i < length; i += 1) text += (i ? "," : "") + (member(value, i, depth) ?? "null");
    return text + "]";
  };
  const record = (value, depth) => {
    const keys = ownKeys(value);
    if (keys.length > limits.fields) throw tooMuch;
    let text = "";
    for (let i = 0; i < keys.length; i += 1) {
      const key = keys[i];
      if (typeof key !== "string") continue;
      const written = member(value, key, depth);
      if (written !== undefined) text += (text === "" ? "" : ",") + stringify(key) + ":" + written;
    }
    return "{" + text + "}";
  };
  const member = (value, key, depth) => {
    names[depth] = key;
    if (typeof key === "string" && key.length > 128) return fault(depth + 1, "codec-output", "a name of more than 128 characters");
    const found = getOwnPropertyDescriptor(value, key);
    if (found === undefined || !found.enumerable) return undefined;
    if (hasOwn(found, "get")) return fault(depth + 1, "codec-output", "a getter: give plain values");
    return write(found.value, depth + 1);
  };
  return write(root, 0);
};
const linesOf = (value) => {
  const lines = [];
  if (value === undefined || value === null) return lines;
  const given = isArray(value) ? value : [value];
  for (let i = 0; i < given.length && i < 20; i += 1) lines[lines.length] = textFrom(given[i], 200);
  return lines;
};
/* Texts alone are given to stringify: of an object it would ask the prototype, which the codec may have changed. */
const listText = (lines) => {
  let text = "[";
  for (let i = 0; i < lines.length; i += 1) text += (i ? "," : "") + stringify(lines[i]);
  return text + "]";
};
const faultText = ({ code, path, detail }) =>
  '{"code":' + stringify(code) + ',"path":' + stringify(path) + ',"detail":' + stringify(textFrom(detail, 300)) + "}";
const failed = (code, detail, warnings) =>
  '{"failed":' + faultText({ code, path: "", detail }) + ',"warnings":' + listText(warnings || []) + "}";
const threw = (thrown) => {
  // What runs out of memory while it makes the error throws null.
  const message = thrown === null ? "out of memory" : thrown instanceof RealInternalError ? thrown.message : "";
  if (message === "out of memory") return failed("codec-memory", "the codec wants more memory than it may have");
  if (message === "stack overflow") return failed("codec-stack", "the codec calls itself too deep");
  return failed("codec-threw", messageOf(thrown));
};

return ([convention, decode, normalize]) => {
  const run = (call) => {
    if (convention === "Decode") return { data: decode(call.fPort, call.bytes, call.variables) };
    if (convention === "Decoder") return { data: decode(call.bytes, call.fPort) };
    return decode({ bytes: call.bytes, fPort: call.fPort, recvTime: new Clock(clock.now), variables: call.variables });
  };
  const normalized = (data, outcome) => {
    let given;
    try { given = normalize({ data: parse(data) }); } catch (thrown) {
      outcome.warnings[outcome.warnings.length] = "normalizeUplink: " + messageOf(thrown);
      return "";
    }
    const said = [linesOf(given?.errors), linesOf(given?.warnings)];
    for (let k = 0; k < 2; k += 1)
      for (let i = 0; i < said[k].length; i += 1) outcome.warnings[outcome.warnings.length] = "normalizeUplink: " + said[k][i];
    if (given?.data === undefined || given.data === null || said[0].length > 0) return "";
    const faults = [];
    const text = copy(isArray(given.data) ? given.data : [given.data], faults);
    for (let i = 0; i < faults.length; i += 1)
      outcome.warnings[outcome.warnings.length] = "normalizeUplink: " + faults[i].path + ": " + faults[i].detail;
    return text;
  };
  const outcomeOf = (call) => {
    let given;
    try { given = run(call); } catch (thrown) { return threw(thrown); }
    if (given === null || typeof given !== "object") return failed("codec-output", "the codec gave no object");
    let warnings, errors;
    try { warnings = linesOf(given.warnings); errors = linesOf(given.errors); } catch (thrown) { return failed("codec-output", messageOf(thrown)); }
    if (errors.length > 0) {
      let text = errors[0];
      for (let i = 1; i < errors.length; i += 1) text += "; " + errors[i];
      return failed("codec-errors", text, warnings);
    }
    const outcome = { warnings, faults: [] };
    let data, other = "";
    try {
      if (given.data === null || typeof given.data !== "object" || isArray(given.data)) return failed("codec-output", "the codec gave no object of data", warnings);
      data = copy(given.data, outcome.faults);
      if (normalize && data) other = normalized(data, outcome);
    } catch (thrown) {
      return failed("codec-output", thrown === tooMuch ? "more than " + limits.fields + " fields" : messageOf(thrown), warnings);
    }
    const { faults } = outcome;
    if (data === undefined) return '{"failed":' + faultText(faults[0]) + ',"warnings":' + listText(warnings) + "}";
    let refused = "[";
    for (let i = 0; i < faults.length; i += 1) refused += (i ? "," : "") + faultText(faults[i]);
    return '{"warnings":' + listText(warnings) + ',"faults":' + refused + '],"data":' + data + (other ? ',"normalized":' + other : "") + "}";
  };
  return (text) => {
    const call = parse(text);
    clock.now = call.receivedMs;
    return outcomeOf(call);
  };
};
})()
`;

/** Asks the global scope for the functions of a codec, in the order in which conventions are preferred. */
export const conventions = `
typeof decodeUplink === "function" ? ["decodeUplink", decodeUplink, typeof normalizeUplink === "function" ? normalizeUplink : undefined]
: typeof Decode === "function" ? ["Decode", Decode]
: typeof Decoder === "function" ? ["Decoder", Decoder]
: undefined
`;
