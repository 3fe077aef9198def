import type { Database } from "lmdb";
import { isSame } from "./canonical.js";
import type { Channel } from "./channel.js";
import type { CityFile } from "./city.js";
import { checkTimeZone, type CityEntry, emptyCity } from "./city-entry.js";
import { cityText } from "./city-text.js";
import { checkDevice } from "./device.js";
import { ObiegError } from "./error.js";
import { identifierKey, indexIdentifiers } from "./identifier.js";
import { parentFault } from "./meter.js";
import type { CredentialEntry, DeviceEntry, PlaceEntry, RegistryView, SourceEntry } from "./registry.js";
import type { Rule } from "./rule.js";
import { checkPlace, checkUnused } from "./place.js";
import type { EntryKind, RegistryChange, RegistryDiff } from "./registry-change.js";
import { hashSecret, newSecret, verifySecret } from "./secret.js";

/** Storage that the registry stands on. */
export interface RegistryStore {
  table<V, K extends string | number = string>(name: string): Database<V, K>;
  transaction<T>(body: () => T): Promise<T>;
}

type Entries = Map<string, unknown>;

/** Devices, places, credentials, rules and channels of a city: the truth in the data folder, mirrored in memory. */
export class CityRegistry implements RegistryView {
  readonly #store: RegistryStore;
  readonly #table: Database<unknown, string>;
  readonly #changes: Database<RegistryChange, number>;
  readonly #clock: () => number;
  readonly #entries: Entries = new Map();
  readonly #listeners = new Set<(change: RegistryDiff) => void>();
  #devices = new Map<string, DeviceEntry>();
  #places = new Map<string, PlaceEntry>();
  #identified = new Map<string, DeviceEntry>();
  #sources: readonly SourceEntry[] = [];
  #writing: Promise<unknown> = Promise.resolve();
  /** What to do for another time zone, once it is kept. */
  #zoneRemedy: string | undefined;

  constructor(store: RegistryStore, clock: () => number) {
    this.#store = store;
    this.#clock = clock;
    this.#table = store.table("registry");
    this.#changes = store.table<RegistryChange, number>("registry-changes");
    for (const { key, value } of this.#table.getRange()) this.#entries.set(key, value);
    this.#index();
  }

  /** Number of its last change; 0 until a city was ever applied or a device added. */
  get revision(): number {
    return [...this.#changes.getKeys({ reverse: true, limit: 1 })][0] ?? 0;
  }

  get city(): CityEntry {
    return (this.#entries.get("city/") as CityEntry | undefined) ?? emptyCity;
  }

  device(id: string): DeviceEntry | undefined {
    return this.#devices.get(id);
  }

  devices(): DeviceEntry[] {
    return [...this.#devices.values()];
  }

  byIdentifier(scheme: string, text: string): DeviceEntry | undefined {
    return this.#identified.get(identifierKey(scheme, text));
  }

  sources(): readonly SourceEntry[] {
    return this.#sources;
  }

  place(id: string): PlaceEntry | undefined {
    return this.#places.get(id);
  }

  places(): PlaceEntry[] {
    return [...this.#places.values()];
  }

  devicesAt(place: string): string[] {
    const below = `${place}/`;
    return this.devices()
      .filter((device) => device.place === place || device.place.startsWith(below))
      .map(({ id }) => id);
  }

  credentials(): CredentialEntry[] {
    return this.#list<CredentialEntry>("credential");
  }

  rules(): Rule[] {
    return this.#list<Rule>("rule");
  }

  channels(): Channel[] {
    return this.#list<Channel>("channel");
  }

  /** Days that readings of a class are kept; undefined for ever. */
  retentionDays(deviceClass: string): number | undefined {
    return this.#entries.get(`retention/${deviceClass}`) as number | undefined;
  }

  /** Newest first. */
  changes(limit: number): RegistryChange[] {
    return [...this.#changes.getRange({ reverse: true, limit })].map(({ value }) => value);
  }

  /** Calls `listener` after each change was made durable. Returns the way to stop it. */
  onChange(listener: (change: RegistryDiff) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** From now on a city of another time zone is refused with this remedy. */
  keepTimeZone(remedy: string): void {
    this.#zoneRemedy = remedy;
  }

  /** What {@link apply} would change. Throws `time-zone-kept`. */
  async diff(city: CityFile): Promise<RegistryDiff> {
    return this.#compare(await this.#wanted(city, false, this.#clock));
  }

  /** Makes the registry what the file says: entries that it doesn't name are removed. New devices report since now. Throws `time-zone-kept`. */
  apply(city: CityFile, who: string): Promise<RegistryDiff> {
    return this.#change(who, () => this.#wanted(city, false, this.#clock));
  }

  /** {@link apply} for the demo's city, whose devices report since moments in a made-up past. */
  applyDemo(city: CityFile, sinceMs: (device: CityFile["devices"][number]) => number): Promise<RegistryDiff> {
    return this.#change("demo", () => this.#wanted(city, true, sinceMs));
  }

  /** Adds or replaces a device. Throws `device-invalid`, `place-not-found`. */
  async putDevice(device: Omit<DeviceEntry, "sinceMs">, who: string): Promise<RegistryDiff> {
    checkDevice(device);
    return this.putDevices(() => {
      this.#checkFits(device);
      return [device];
    }, who);
  }

  /** Adds or replaces what `ask` gives when its turn comes, in one change; it has checked them against the registry as it stands then. */
  putDevices(ask: () => readonly Omit<DeviceEntry, "sinceMs">[], who: string): Promise<RegistryDiff> {
    return this.#change(who, () => {
      const wanted = new Map(this.#entries);
      for (const device of ask()) {
        const sinceMs = this.#devices.get(device.id)?.sinceMs ?? this.#clock();
        wanted.set(`device/${device.id}`, { ...device, sinceMs });
      }
      return wanted;
    });
  }

  #checkFits(device: Omit<DeviceEntry, "sinceMs">): void {
    if (!this.#places.has(device.place)) {
      throw new ObiegError(
        "place-not-found",
        `${device.place} isn't among the places: see GET /api/v1/places`,
      );
    }
    for (const [scheme, text] of Object.entries(device.identifiers ?? {})) {
      const holder = this.byIdentifier(scheme, text);
      if (holder && holder.id !== device.id)
        throw new ObiegError("device-invalid", `identifiers.${scheme}: ${text} is ${holder.id}'s already`);
    }
    const fault = parentFault(device, (id) => this.#devices.get(id));
    if (fault) throw new ObiegError("device-invalid", `meter.parent: ${fault}`);
  }

  /** Adds or replaces a place. Throws `place-invalid`. */
  putPlace(place: PlaceEntry, who: string): Promise<RegistryDiff> {
    return this.#change(who, () => {
      checkPlace(place, this);
      return new Map(this.#entries).set(`place/${place.id}`, place);
    });
  }

  /** Removes a place that nothing needs. Throws `place-not-found`, `place-in-use`. */
  removePlace(id: string, who: string): Promise<RegistryDiff> {
    return this.#change(who, () => {
      checkUnused(id, this);
      const wanted = new Map(this.#entries);
      wanted.delete(`place/${id}`);
      return wanted;
    });
  }

  /** Removes a device; its history stays, and meters below it stand below none. Throws `device-not-found`. */
  async removeDevice(id: string, who: string): Promise<RegistryDiff> {
    if (!this.#devices.has(id)) throw new ObiegError("device-not-found", `there is no device ${id}`);
    return this.#change(who, () => {
      const wanted = new Map(this.#entries);
      wanted.delete(`device/${id}`);
      wanted.delete(`credential/${id}`);
      for (const { meter, ...child } of this.#devices.values()) {
        if (meter?.parent !== id || child.id === id) continue;
        wanted.set(`device/${child.id}`, { ...child, meter: { registers: meter.registers } });
      }
      return wanted;
    });
  }

  /** Gives a user a new secret, which is told once; makes the credential when there is none and a device is called so. Throws `user-not-found`. */
  async rotateSecret(user: string, who: string): Promise<string> {
    const before = this.#entries.get(`credential/${user}`) as CredentialEntry | undefined;
    if (!before && !this.#devices.has(user)) {
      throw new ObiegError("user-not-found", `there is neither a credential nor a device ${user}`);
    }
    const secret = newSecret();
    const hash = await hashSecret(secret);
    const made: CredentialEntry = before ?? {
      user,
      kind: "device",
      hash,
      publishesFor: [],
      publish: [],
      subscribe: [],
    };
    await this.#change(who, () => new Map(this.#entries).set(`credential/${user}`, { ...made, hash }));
    return secret;
  }

  /** The registry as a `city.yaml`; secrets are left as names of files and of the environment. */
  exportCity(): string {
    return cityText(this, (deviceClass) => this.retentionDays(deviceClass));
  }

  #list<T>(kind: EntryKind): T[] {
    const found: T[] = [];
    for (const [key, value] of this.#entries) if (key.startsWith(`${kind}/`)) found.push(value as T);
    return found;
  }

  /** Entries of a city file; a secret that is still the same keeps its hash, a device its first day. */
  async #wanted(
    city: CityFile,
    demo: boolean,
    since: (device: CityFile["devices"][number]) => number,
  ): Promise<Entries> {
    if (this.#zoneRemedy !== undefined) checkTimeZone(this.city, city.city, this.#zoneRemedy);
    const wanted: Entries = new Map<string, unknown>([["city/", { ...city.city, demo }]]);
    for (const place of city.places) wanted.set(`place/${place.id}`, place);
    for (const { every, ...device } of city.devices) {
      const sinceMs = this.#devices.get(device.id)?.sinceMs ?? since(device);
      wanted.set(`device/${device.id}`, {
        ...device,
        ...(every === undefined ? {} : { everyMs: every }),
        sinceMs,
      });
    }
    for (const { user, secret, publishesFor, publish, subscribe } of city.credentials) {
      const before = this.#entries.get(`credential/${user}`) as CredentialEntry | undefined;
      const same = before !== undefined && (await verifySecret(secret, before.hash));
      const entry: CredentialEntry = {
        user,
        kind: publishesFor ? "gateway" : publish || subscribe ? "application" : "device",
        hash: same ? before.hash : await hashSecret(secret),
        publishesFor: publishesFor ?? [],
        publish: publish ?? [],
        subscribe: subscribe ?? [],
      };
      wanted.set(`credential/${user}`, entry);
    }
    for (const [index, source] of city.sources.entries())
      wanted.set(`source/${String(index + 1).padStart(3, "0")}`, source);
    for (const rule of city.rules) wanted.set(`rule/${rule.id}`, rule);
    for (const channel of city.channels) wanted.set(`channel/${channel.id}`, channel);
    for (const [deviceClass, days] of Object.entries(city.retention))
      wanted.set(`retention/${deviceClass}`, days);
    return wanted;
  }

  #compare(wanted: Entries): RegistryDiff {
    const diff: RegistryDiff = { added: [], changed: [], removed: [] };
    const entry = (key: string): { kind: EntryKind; id: string } => {
      const slash = key.indexOf("/");
      return { kind: key.slice(0, slash) as EntryKind, id: key.slice(slash + 1) };
    };
    for (const [key, value] of wanted) {
      if (!this.#entries.has(key)) diff.added.push(entry(key));
      else if (!isSame(this.#entries.get(key), value)) diff.changed.push(entry(key));
    }
    for (const key of this.#entries.keys()) if (!wanted.has(key)) diff.removed.push(entry(key));
    return diff;
  }

  /** One change at a time: what is wanted is asked when its turn comes. */
  #change(who: string, ask: () => Entries | Promise<Entries>): Promise<RegistryDiff> {
    const result = this.#writing.then(async () => {
      const wanted = await ask();
      const diff = this.#compare(wanted);
      if (diff.added.length + diff.changed.length + diff.removed.length === 0) return diff;
      await this.#store.transaction(() => {
        for (const { kind, id } of diff.removed) void this.#table.remove(`${kind}/${id}`);
        for (const { kind, id } of [...diff.added, ...diff.changed]) {
          void this.#table.put(`${kind}/${id}`, wanted.get(`${kind}/${id}`));
        }
        void this.#changes.put(this.revision + 1, { ...diff, atMs: this.#clock(), who });
      });
      this.#entries.clear();
      for (const [key, value] of wanted) this.#entries.set(key, value);
      this.#index();
      for (const listener of this.#listeners) listener(diff);
      return diff;
    });
    this.#writing = result.catch(() => undefined);
    return result;
  }

  #index(): void {
    this.#devices = new Map(this.#list<DeviceEntry>("device").map((device) => [device.id, device]));
    this.#identified = indexIdentifiers(this.#devices.values());
    this.#sources = this.#list<SourceEntry>("source");
    this.#places = new Map(this.#list<PlaceEntry>("place").map((place) => [place.id, place]));
  }
}

/** Opens the registry that a data folder holds. */
export function openRegistry(store: RegistryStore, clock: () => number): CityRegistry {
  return new CityRegistry(store, clock);
}
