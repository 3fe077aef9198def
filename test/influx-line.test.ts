import { expect, test } from "vitest";
import { InfluxEncoder } from "../ingest/stores/influx-line.js";
import { MemoryHistory } from "./influx-fixture.js";
import { TestRegistry } from "./rules-fixture.js";
import { storedOf } from "./support/stored.js";

const registry = new TestRegistry([
  { id: "bin-1", class: "smart-bin", place: "krakow/podgorze/szkola-25" },
  { id: "a b,c=d", class: "bin", place: "krakow" },
  { id: "evil\\", class: "bin" },
  { id: "two\nlines", class: "bin" },
]);
const lines = (...values: Parameters<MemoryHistory["add"]>[0][]) => {
  const history = new MemoryHistory();
  for (const value of values) history.add(value);
  return new InfluxEncoder(registry).encode(storedOf(history.values)).map((point) => point.line);
};

test("a message is one line: class as measurement, place and district as tags, quantities as float fields", () => {
  expect(
    lines(
      { timeMs: 5, value: 43 },
      { timeMs: 5, quantity: "battery_v", value: 3.61 },
      { timeMs: 6, value: 1e21 },
    ),
  ).toEqual([
    "smart_bin,device=bin-1,place=krakow/podgorze/szkola-25,district=krakow/podgorze fill_percent=43,battery_v=3.61 5",
    "smart_bin,device=bin-1,place=krakow/podgorze/szkola-25,district=krakow/podgorze fill_percent=1e+21 6",
  ]);
});

test("attributes are tags, and part of what stands in one line", () => {
  expect(lines({ device: "bin-1", timeMs: 5, attributes: '{"fraction":"bio"}' }, { timeMs: 5 })).toEqual([
    "smart_bin,device=bin-1,place=krakow/podgorze/szkola-25,district=krakow/podgorze,fraction=bio fill_percent=0.1 5",
    "smart_bin,device=bin-1,place=krakow/podgorze/szkola-25,district=krakow/podgorze fill_percent=0.2 5",
  ]);
});

test("what is special in line protocol is escaped, and a place above the districts has no district", () => {
  expect(lines({ device: "a b,c=d", timeMs: 5 })).toEqual([
    String.raw`bin,device=a\ b\,c\=d,place=krakow fill_percent=0.1 5`,
  ]);
});

test("a name that line protocol can't carry gives no line", () => {
  expect(lines({ device: "evil\\" }, { device: "two\nlines" })).toEqual([undefined, undefined]);
});
