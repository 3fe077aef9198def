/** How much is measured. */
export interface Size {
  /** Alternating runs, of which the median counts. */
  rounds: number;
  /** Messages of one run of the acknowledge path. */
  acknowledge: number;
  paced: number;
  /** Messages of the burst, and of the smaller one that memory is compared with. */
  burst: number;
  smallBurst: number;
  /** Readings and alerts whose way is timed. */
  probes: number;
  /** Days and devices of the past. */
  days: number;
  fleet: number;
  meters: number;
  /** Messages that wait at a restart, and for a sink. */
  backlog: number;
  outage: number;
  queries: number;
  starts: number;
  /** Frames that a LoRaWAN codec decodes in one run. */
  decodes: number;
  /** How long each format decodes in a run, milliseconds. */
  decodeMs: number;
}

/** What `npm run bench` measures. */
export const fullSize: Size = {
  rounds: 5,
  acknowledge: 300_000,
  paced: 50_000,
  burst: 1_000_000,
  smallBurst: 200_000,
  probes: 300,
  days: 365,
  fleet: 100,
  meters: 1_000,
  backlog: 1_000_000,
  outage: 200_000,
  queries: 15,
  starts: 5,
  decodes: 20_000,
  decodeMs: 400,
};

/** The same in less than a minute: shows that every measurement works and gives right answers. */
export const smokeSize: Size = {
  rounds: 1,
  acknowledge: 5_000,
  paced: 2_000,
  burst: 10_000,
  smallBurst: 5_000,
  probes: 5,
  days: 8,
  fleet: 8,
  meters: 10,
  backlog: 5_000,
  outage: 5_000,
  queries: 2,
  starts: 1,
  decodes: 1_000,
  decodeMs: 5,
};
