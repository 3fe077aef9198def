import { z } from "zod";
import type { DeviceEntry } from "../../devices/index.js";
import type { StoredReading } from "../../ingest/index.js";
import { auditOf, whoOf } from "../access.js";
import { type Device, deviceSchema, quantitySchema } from "../api.js";
import { deviceBody, deviceInput } from "../device-body.js";
import { HttpProblem, refusedByRegistry } from "../problem.js";
import { deviceIdSchema, idSchema, listParts, manyOf } from "../query.js";
import {
  answerList,
  answers,
  type Api,
  devicesAsked,
  listOf,
  nothing,
  pageIn,
  type RouteParts,
} from "../route.js";
import { deviceOf } from "../shape.js";

const columns = [
  "id",
  "class",
  "place",
  "name",
  "model",
  "identifiers",
  "at",
  "everySeconds",
  "fraction",
  "capacityLitres",
  "emptyMm",
  "fullMm",
  "meter",
  "commissioned",
  "decommissioned",
  "since",
  "presence",
  "latest",
] as const satisfies readonly (keyof Device)[];

const byId = (a: DeviceEntry, b: DeviceEntry): number => (a.id < b.id ? -1 : 1);

/** `/quantities`, `/devices`: the vocabulary and the registry. */
export function registryRoutes(api: Api, parts: RouteParts): void {
  const { view, users } = parts;
  const tags = ["registry"];

  const shown = (device: DeviceEntry, latest: readonly StoredReading[]): Device =>
    deviceOf(device, latest, view.presence(device.id), view.uplinks(device.id));
  const withLatest = async (devices: readonly DeviceEntry[]): Promise<Device[]> => {
    const latest = new Map<string, StoredReading[]>();
    const found = devices.length === 0 ? [] : await view.history.latest(devices.map(({ id }) => id));
    for (const reading of found) {
      const known = latest.get(reading.device);
      if (known) known.push(reading);
      else latest.set(reading.device, [reading]);
    }
    return devices.map((device) => shown(device, latest.get(device.id) ?? []));
  };
  const known = (id: string): DeviceEntry => {
    const device = view.registry.device(id);
    if (!device) throw new HttpProblem(404, "device-not-found", `there is no device ${id}`);
    return device;
  };
  const changes = (): NonNullable<typeof view.registry.changes> => {
    if (!view.registry.changes)
      throw new HttpProblem(409, "registry-read-only", "devices come from the city file: change them there");
    return view.registry.changes;
  };

  api.get(
    "/quantities",
    {
      config: { role: "public" },
      schema: {
        tags,
        summary: "The vocabulary",
        querystring: z.object(listParts),
        response: answers({ 200: listOf(quantitySchema) }),
      },
    },
    (request, reply) =>
      answerList(parts, request, reply, {
        name: "quantities",
        columns: ["name", "unit", "kind", "dimension", "min", "max", "classes"],
        ...request.query,
        cursor: request.query.cursor,
        read: async (cursor, limit) =>
          pageIn(
            view.quantities().map((row) => ({ ...row, classes: [...row.classes] })),
            cursor,
            limit,
          ),
      }),
  );

  api.get(
    "/devices",
    {
      config: { role: "viewer" },
      schema: {
        tags,
        summary: "Devices with their newest values, by id",
        querystring: z.object({
          ...listParts,
          place: idSchema.optional().describe("at this place or below it"),
          class: manyOf(z.string().max(64)).optional(),
        }),
        response: answers({ 200: listOf(deviceSchema) }),
      },
    },
    (request, reply) => {
      const { place, class: classes, limit, cursor } = request.query;
      const there = devicesAsked(parts, undefined, place);
      const all = there
        ? there.flatMap((id) => view.registry.device(id) ?? [])
        : view.registry.devices().slice();
      const devices = all.filter((device) => !classes || classes.includes(device.class)).sort(byId);
      return answerList(parts, request, reply, {
        name: "devices",
        columns,
        limit,
        cursor,
        read: async (at, most) => {
          const page = pageIn(devices, at, most);
          return { items: await withLatest(page.items), next: page.next };
        },
      });
    },
  );

  api.get(
    "/devices/:id",
    {
      config: { role: "viewer" },
      schema: {
        tags,
        summary: "One device",
        params: z.object({ id: idSchema }),
        response: answers({ 200: deviceSchema }),
      },
    },
    async ({ params }) => {
      const [device] = await withLatest([known(params.id)]);
      if (!device) throw new HttpProblem(404, "device-not-found", `there is no device ${params.id}`);
      return device;
    },
  );

  api.put(
    "/devices/:id",
    {
      config: { role: "admin" },
      schema: {
        tags,
        summary: "Add a device (201), or replace what is known of it",
        params: z.object({ id: deviceIdSchema }),
        body: deviceBody,
        response: answers({ 200: deviceSchema, 201: deviceSchema }),
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const { class: kind, place } = request.body;
      const isNew = view.registry.device(id) === undefined;
      const stored = await changes()
        .putDevice(deviceInput(id, request.body), whoOf(request))
        .catch((error: unknown) => Promise.reject(refusedByRegistry(error) as Error));
      await users.audit.record(auditOf(request, "device.put", id, { class: kind, place, new: isNew }));
      const [device] = await withLatest([stored]);
      return reply.code(isNew ? 201 : 200).send(device ?? shown(stored, []));
    },
  );

  api.delete(
    "/devices/:id",
    {
      config: { role: "admin" },
      schema: {
        tags,
        summary: "Take a device out of the registry; what it sent stays",
        params: z.object({ id: idSchema }),
        response: answers({ 204: nothing }),
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      known(id);
      await changes()
        .removeDevice(id, whoOf(request))
        .catch((error: unknown) => Promise.reject(refusedByRegistry(error) as Error));
      await users.audit.record(auditOf(request, "device.remove", id));
      return reply.code(204).send();
    },
  );
}
