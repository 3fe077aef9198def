import { getEventListeners } from "node:events";
import { afterEach, describe, expect, test } from "vitest";
import { openMqtt } from "../ingest/alerts/mqtt.js";
import type { OutboxEntry, Sender } from "../ingest/alerts/port.js";
import { openWebhook } from "../ingest/alerts/webhook.js";
import { FaultServer, secret } from "./alerts-fixture.js";
import { startMs } from "./rules-fixture.js";
import { collect } from "./support/heap.js";

/** A channel under test with a receiver that can be told to fail. */
interface Subject {
  sender: Sender;
  behave(how: "take" | "refuse" | "hang" | "break"): void;
  /** What the receiver saw, one line a try. */
  seen(): string[];
  end(): Promise<void>;
}

async function webhookSubject(): Promise<Subject> {
  const server = await new FaultServer().start();
  const sender = openWebhook(
    { id: "hook", kind: "webhook", url: server.url, secret },
    { fetch, clock: () => startMs, timeoutMs: 400 },
  );
  return {
    sender,
    behave: (how) => {
      server.decide = () =>
        how === "take"
          ? { status: 200 }
          : how === "refuse"
            ? { status: 503 }
            : how === "hang"
              ? "hang"
              : "close";
    },
    seen: () => server.received.map(({ alert }) => `${alert.device} ${alert.state}`),
    end: () => server.stop(),
  };
}

async function mqttSubject(): Promise<Subject> {
  let behaviour = "take";
  const seen: string[] = [];
  const publish = (topic: string, payload: string): Promise<void> => {
    seen.push(`${topic.split("/").at(-1)} ${payload === "" ? "resolved" : JSON.parse(payload).state}`);
    if (behaviour === "hang") return new Promise(() => undefined);
    return behaviour === "take" ? Promise.resolve() : Promise.reject(new Error("the broker is closed"));
  };
  return {
    sender: openMqtt(publish, 400),
    behave: (how) => {
      behaviour = how;
    },
    seen: () => seen,
    end: () => Promise.resolve(),
  };
}

/** Collects garbage until none of the objects is left, ten times at most; gives how many are. */
async function leftOf(objects: readonly WeakRef<object>[]): Promise<number> {
  const left = (): number => objects.filter((object) => object.deref() !== undefined).length;
  for (let n = 0; n < 10 && left() > 0; n += 1) {
    // An object that was looked at stays until the turn is over.
    await new Promise(setImmediate);
    collect();
  }
  return left();
}

function entry(state: OutboxEntry["state"]): OutboxEntry {
  return {
    key: "1",
    sequence: 1,
    channel: "any",
    alert: "a1",
    group: "full|bin-1",
    state,
    messageId: `a1_${state}`,
    createdMs: startMs,
    attempts: 0,
    nextMs: startMs,
    body: {
      id: "a1",
      rule: "full",
      kind: "threshold",
      severity: "warning",
      state,
      place: "krakow",
      device: "bin-1",
      quantity: null,
      value: null,
      limit: 1,
      unit: "",
      since: "",
      at: "",
      title: { pl: "t", en: "t" },
      message: { pl: "m", en: "m" },
      links: {},
    },
  };
}

describe.each([
  ["webhook", webhookSubject],
  ["mqtt", mqttSubject],
])("channel contract: %s", (_name, make) => {
  let subject: Subject;
  afterEach(() => subject.end());
  const idle = new AbortController().signal;

  test("says delivered only when the receiver took it", async () => {
    subject = await make();
    subject.behave("take");
    for (const state of ["raised", "acknowledged", "resolved"] as const) {
      expect(await subject.sender.send(entry(state), idle)).toEqual({ kind: "delivered" });
    }
    expect(subject.seen()).toEqual(["bin-1 raised", "bin-1 acknowledged", "bin-1 resolved"]);
  });

  test.each(["refuse", "break", "hang"] as const)("gives a fault, never throws: %s", async (how) => {
    subject = await make();
    subject.behave(how);
    const result = await subject.sender.send(entry("raised"), idle);
    expect(result).toMatchObject({ kind: "failed", fault: expect.stringMatching(/^.{5,300}$/) });
    expect(JSON.stringify(result)).not.toContain(secret);
  });

  test("is over once its signal is aborted", async () => {
    subject = await make();
    subject.behave("hang");
    const abort = new AbortController();
    const sending = subject.sender.send(entry("raised"), abort.signal);
    abort.abort();
    expect(await sending).toMatchObject({ kind: "failed" });
  });

  test("keeps nothing of what it sent while its signal lives on", async () => {
    subject = await make();
    const send = async (): Promise<WeakRef<object>> => {
      const one = entry("raised");
      await subject.sender.send(one, idle);
      return new WeakRef(one.body);
    };
    for (const how of ["take", "refuse", "break", "hang"] as const) {
      subject.behave(how);
      expect(await leftOf([await send(), await send()])).toBe(0);
    }
    expect(getEventListeners(idle, "abort")).toEqual([]);
  });

  test("sends again when asked again", async () => {
    subject = await make();
    subject.behave("refuse");
    await subject.sender.send(entry("raised"), idle);
    subject.behave("take");
    expect(await subject.sender.send(entry("raised"), idle)).toEqual({ kind: "delivered" });
    expect(subject.seen()).toEqual(["bin-1 raised", "bin-1 raised"]);
  });
});
