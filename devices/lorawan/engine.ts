import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createContext, Script } from "node:vm";
import release from "@jitl/quickjs-wasmfile-release-sync";
import {
  newQuickJSWASMModuleFromVariant,
  newVariant,
  type QuickJSContext,
  type QuickJSHandle,
  type QuickJSSyncVariant,
} from "quickjs-emscripten-core";
import type { Fault } from "../codec.js";
import { shortText } from "../short-text.js";
import { conventions, realm } from "./realm.js";

/** Bounds that every call keeps. */
export interface EngineLimits {
  /** After this long the interpreter is interrupted, milliseconds. */
  interruptMs: number;
  /** After this long the whole engine is, wherever it is (a loop inside a built-in function never asks), milliseconds. */
  terminateMs: number;
  /** Heap of the interpreter with the codec in it, bytes; at most 8 MiB, which the fixed memory has room for. */
  heapBytes: number;
  /** Stack of the interpreter, bytes. */
  stackBytes: number;
}

/** What codecs of usual size need a hundredth of. */
export const defaultLimits: EngineLimits = {
  interruptMs: 100,
  terminateMs: 400,
  heapBytes: 4 * 2 ** 20,
  stackBytes: 256 * 2 ** 10,
};

/** A codec as it stands in memory before its first call: bytes of the engine, and where its entry is. */
export interface Image {
  /** Bytes from 0 up: constants and variables of the engine. */
  low: Uint8Array;
  /** Bytes from the top of the stack up: the heap. */
  heap: Uint8Array;
  entry: QuickJSHandle;
  /** The calling convention that was found. */
  convention: string;
}

/** What a call came to: its text, or why there is none. */
export type Answer = { text: string } | { fault: Fault };

/** The package's types are those of its CommonJS file, where the variant is one `default` deeper. */
const variant = release as unknown as QuickJSSyncVariant;
/** A codec that looped took its time from the processor; one that was kept waiting took less than this part of it. */
const worked = 0.8;
const maxTries = 3;
const pages = 256;
const mib = 2 ** 20;
/** Constants and variables of the engine end well below this (at 90,208); between here and the top of the stack is only stack. */
const lowBytes = 128 * 2 ** 10;
const fault = (code: string, detail: string): { fault: Fault } => ({
  fault: { code, path: "", detail: shortText(detail, 300) },
});

interface EngineExports {
  /** Names as this build of the library has them; {@link Engine.open} checks that they are what they are taken for. */
  Ma(pointer: number): void;
  Oa(): number;
}

/**
 * QuickJS in WebAssembly with a memory of fixed size, put back byte by byte before each call: no call sees anything that
 * another one left, whatever it did, and memory can't grow.
 */
export class Engine {
  readonly #context: QuickJSContext;
  readonly #memory: Uint8Array;
  readonly #exports: EngineExports;
  readonly #stackTop: number;
  readonly #limits: EngineLimits;
  readonly #bare: Image;
  #deadlineMs = 0;
  #task: () => Answer = () => ({ text: "" });
  readonly #guarded = new Script("task()");
  readonly #outer = createContext({ task: () => this.#task() });

  private constructor(
    context: QuickJSContext,
    memory: Uint8Array,
    exports: EngineExports,
    limits: EngineLimits,
  ) {
    this.#context = context;
    this.#memory = memory;
    this.#exports = exports;
    this.#limits = limits;
    this.#stackTop = exports.Oa();
    exports.Ma(this.#stackTop - 64);
    const moved = exports.Oa() === this.#stackTop - 64;
    exports.Ma(this.#stackTop);
    const unused = memory.subarray(lowBytes, this.#stackTop - mib);
    if (!moved || this.#stackTop < 3 * mib || unused.some((byte) => byte !== 0))
      throw new Error("the engine's memory isn't laid out as this build of QuickJS has it");
    context.runtime.setInterruptHandler(() => Date.now() > this.#deadlineMs);
    this.#deadlineMs = Infinity;
    const made = context.unwrapResult(context.evalCode(realm, "realm", { type: "global" }));
    this.#bare = this.#take(made, "");
  }

  /** Starts an engine. One costs 16 MiB of address space, of which about 1 MiB is touched. */
  static async open(limits: EngineLimits = defaultLimits): Promise<Engine> {
    const path = createRequire(import.meta.url).resolve("@jitl/quickjs-wasmfile-release-sync/wasm");
    const program = new WebAssembly.Module(readFileSync(path));
    const wasmMemory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    let exports: WebAssembly.Exports = {};
    const module = await newQuickJSWASMModuleFromVariant(
      newVariant(variant, {
        wasmMemory,
        emscriptenModule: {
          instantiateWasm(imports, onSuccess) {
            const instance = new WebAssembly.Instance(program, imports);
            ({ exports } = instance);
            onSuccess(instance);
            return exports;
          },
        },
      }),
    );
    const runtime = module.newRuntime();
    runtime.setMemoryLimit(limits.heapBytes);
    runtime.setMaxStackSize(limits.stackBytes);
    const context = runtime.newContext({
      intrinsics: {
        BaseObjects: true,
        Date: true,
        Eval: true,
        StringNormalize: true,
        RegExpCompiler: true,
        RegExp: true,
        JSON: true,
        MapSet: true,
        TypedArrays: true,
        Promise: true,
        BigInt: true,
      },
    });
    return new Engine(
      context,
      new Uint8Array(wasmMemory.buffer),
      exports as unknown as EngineExports,
      limits,
    );
  }

  /** Runs a codec's source once and keeps what it left as an image; or says why it can't be taken. */
  load(source: string): Image | { fault: Fault } {
    let image: Image | undefined;
    const answer = this.#run(this.#bare, () => {
      const context = this.#context;
      const ran = context.evalCode(source, "codec.js", { type: "global" });
      if (ran.error) return this.#refused(ran.error);
      ran.value.dispose();
      const found = context.evalCode(conventions, "conventions", { type: "global" });
      if (found.error) return this.#refused(found.error);
      if (context.typeof(found.value) === "undefined")
        return fault("codec-invalid", "no function decodeUplink, Decode or Decoder was found");
      const name = context.getProp(found.value, 0);
      const made = context.callFunction(this.#bare.entry, context.undefined, found.value);
      if (made.error) return this.#refused(made.error);
      image = this.#take(made.value, context.getString(name));
      return { text: "" };
    });
    return image ?? ("fault" in answer ? answer : fault("codec-invalid", "the codec can't be loaded"));
  }

  /** Calls a codec with a text. Guarantee: never throws, ends in time, and leaves nothing behind. */
  call(image: Image, input: string): Answer {
    return this.#run(image, () => {
      const context = this.#context;
      const text = context.newString(input);
      const result = context.callFunction(image.entry, context.undefined, text);
      if (result.error) return this.#refused(result.error);
      return { text: context.getString(result.value) };
    });
  }

  /** Runs a task; on a machine so busy that it had no time of its own, once more. */
  #run(image: Image, task: () => Answer): Answer {
    for (let tries = 1; ; tries += 1) {
      const before = process.cpuUsage();
      const answer = this.#once(image, task);
      if (!("fault" in answer) || answer.fault.code !== "codec-time" || tries === maxTries) return answer;
      const { user, system } = process.cpuUsage(before);
      if ((user + system) / 1_000 >= this.#limits.interruptMs * worked) return answer;
    }
  }

  #once(image: Image, task: () => Answer): Answer {
    this.#memory.set(image.low);
    this.#memory.set(image.heap, this.#stackTop);
    this.#exports.Ma(this.#stackTop);
    this.#task = task;
    this.#deadlineMs = Date.now() + this.#limits.interruptMs;
    try {
      return this.#guarded.runInContext(this.#outer, { timeout: this.#limits.terminateMs }) as Answer;
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      if (code === "ERR_SCRIPT_EXECUTION_TIMEOUT") return this.#tooLong();
      if (error instanceof RangeError) return fault("codec-stack", "the codec calls itself too deep");
      return fault("codec-memory", `the codec broke the engine: ${message}`);
    }
  }

  #tooLong(): { fault: Fault } {
    return fault("codec-time", `the codec didn't end within ${this.#limits.interruptMs} ms`);
  }

  /** What an exception that reached the engine's edge was. */
  #refused(error: QuickJSHandle): { fault: Fault } {
    const context = this.#context;
    if (context.typeof(error) !== "object") return fault("codec-threw", context.getString(error));
    const thrown = context.dump(error) as { name?: unknown; message?: unknown; stack?: unknown } | null;
    // Out of memory for the error itself: null is thrown.
    if (thrown === null) return this.#outOfMemory();
    const name = String(thrown.name);
    const message = String(thrown.message);
    if (name === "InternalError" && message === "interrupted") return this.#tooLong();
    if (name === "InternalError" && message === "out of memory") return this.#outOfMemory();
    if (name === "InternalError" && message === "stack overflow")
      return fault("codec-stack", "the codec calls itself too deep");
    const line = /codec\.js:(\d+)/.exec(String(thrown.stack))?.[1];
    return fault("codec-threw", `${name}: ${message}${line === undefined ? "" : ` (line ${line})`}`);
  }

  #outOfMemory(): { fault: Fault } {
    return fault("codec-memory", `the codec wants more than ${this.#limits.heapBytes / mib} MiB`);
  }

  #take(entry: QuickJSHandle, convention: string): Image {
    let end = this.#memory.length;
    while (end > this.#stackTop && this.#memory[end - 1] === 0) end -= 1;
    return {
      low: this.#memory.slice(0, lowBytes),
      heap: this.#memory.slice(this.#stackTop, end),
      entry,
      convention,
    };
  }
}
