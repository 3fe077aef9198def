import { z } from "zod";
import { type DeviceEntry, quantities } from "../../devices/index.js";
import { auditOf, whoOf } from "../access.js";
import {
  amountOf,
  amountSchema,
  entryOf,
  intervalOf,
  intervalSchema,
  meterEntrySchema,
  meterNoteBody,
  meterSchema,
  noteOf,
  spanOf,
} from "../meters.js";
import { HttpProblem } from "../problem.js";
import { given, idSchema, listParts, rangeParts } from "../query.js";
import { answerList, answers, type Api, listOf, pageIn, type RouteParts } from "../route.js";
import { checkRange, checkSteps, stepParts } from "../steps.js";

const quantity = z.string().min(1).max(64).describe("a counter of the device: energy_import_kwh");
const params = z.object({ id: idSchema });
const epochMs = 0;
const endMs = Date.parse("9999-12-31T23:59:59Z");

const isCounter = (name: string): boolean => quantities.get(name)?.kind === "counter";
const wrong = (path: string, message: string): HttpProblem =>
  new HttpProblem(400, "request-invalid", message, { faults: [{ path, message }] });

/** `{ms}.{skip}` as the cursor of a list of amounts. Throws `bad-cursor`. */
function placeOf(cursor: string): { fromMs: number; skip: number } {
  const [, fromMs, skip] = /^(-?\d{1,15})\.(\d{1,9})$/.exec(cursor) ?? [];
  if (fromMs === undefined || skip === undefined)
    throw new HttpProblem(400, "bad-cursor", "give next of the page before as cursor");
  return { fromMs: Number(fromMs), skip: Number(skip) };
}

/** `/devices/{id}/meter`, `/intervals`, `/amounts`: what a device counts with, and what flowed. */
export function metersRoutes(api: Api, parts: RouteParts): void {
  const { view, users } = parts;
  const tags = ["meters"];
  const known = (id: string): DeviceEntry => {
    const device = view.registry.device(id);
    if (!device) throw new HttpProblem(404, "device-not-found", `there is no device ${id}`);
    return device;
  };
  const asked = (id: string, of: string, where: string): { device: string; quantity: string } => {
    if (!isCounter(of)) throw wrong(where, `${of} is no counter: see GET /api/v1/quantities`);
    return { device: known(id).id, quantity: of };
  };
  const rangeOf = (from: number | undefined, to: number | undefined): { fromMs: number; toMs: number } => {
    checkRange(from, to);
    return { fromMs: from ?? epochMs, toMs: to ?? endMs };
  };

  api.get(
    "/devices/:id/meter",
    {
      config: { role: "viewer" },
      schema: {
        tags,
        summary: "What a device counts with, now and before",
        params,
        response: answers({ 200: meterSchema }),
      },
    },
    async ({ params: { id } }) => {
      const device = known(id);
      const latest = await view.history.latest([id]);
      const shows = latest.map(({ quantity: of }) => of).filter((of) => isCounter(of));
      return {
        parent: device.meter?.parent ?? null,
        registers: view.meters.spans(device, shows).map(spanOf),
      };
    },
  );

  api.get(
    "/devices/:id/meter/entries",
    {
      config: { role: "viewer" },
      schema: {
        tags,
        summary: "What was written of a meter's life, in the order of writing; entries are never changed",
        params,
        querystring: z.object({ ...listParts, quantity: quantity.optional() }),
        response: answers({ 200: listOf(meterEntrySchema) }),
      },
    },
    (request, reply) => {
      const { quantity: of, limit, cursor } = request.query;
      const { id } = known(request.params.id);
      return answerList(parts, request, reply, {
        name: "meter-entries",
        columns: Object.keys(meterEntrySchema.shape) as (keyof typeof meterEntrySchema.shape)[],
        limit,
        cursor,
        read: async (at, most) => {
          const entries = view.meters.entries(id).filter((one) => of === undefined || one.quantity === of);
          return pageIn(entries.map(entryOf), at, most);
        },
      });
    },
  );

  api.post(
    "/devices/:id/meter/entries",
    {
      config: { role: "admin" },
      schema: {
        tags,
        summary:
          "Write down an exchange, a removal, a correction: for good, a wrong one is withdrawn by another",
        params,
        body: meterNoteBody,
        response: answers({ 201: meterEntrySchema }),
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const name = asked(id, request.body.quantity, "/body/quantity");
      const written = entryOf(await view.meters.append(name, noteOf(request.body), whoOf(request)));
      const { sequence, kind, why } = written;
      const detail = { quantity: name.quantity, sequence, entry: written.id, kind, why };
      await users.audit.record(auditOf(request, "meter.entry", id, detail));
      return reply.code(201).send(written);
    },
  );

  api.get(
    "/devices/:id/intervals",
    {
      config: { role: "viewer" },
      schema: {
        tags,
        summary:
          "What flowed between the readings of a counter, whole where it reaches over an end of the range",
        params,
        querystring: z.object({ ...listParts, ...rangeParts, quantity }),
        response: answers({ 200: listOf(intervalSchema) }),
      },
    },
    (request, reply) => {
      const { quantity: of, from, to, limit, cursor } = request.query;
      const name = asked(request.params.id, of, "/query/quantity");
      const range = rangeOf(from, to);
      return answerList(parts, request, reply, {
        name: "intervals",
        columns: Object.keys(intervalSchema.shape) as (keyof typeof intervalSchema.shape)[],
        limit,
        cursor,
        read: async (at, most) => {
          const after = at === undefined ? undefined : placeOf(at);
          const found = await view.meters.amounts({
            ...name,
            ...range,
            limit: most + 1,
            ...given({ after }),
          });
          const next = found[most];
          const items = found.slice(0, most);
          const same = items.filter(({ fromMs }) => fromMs === next?.fromMs).length;
          const skip = same + (after?.fromMs === next?.fromMs ? (after?.skip ?? 0) : 0);
          return {
            items: items.map((one) => intervalOf(one, of)),
            next: next ? `${next.fromMs}.${skip}` : null,
          };
        },
      });
    },
  );

  api.get(
    "/devices/:id/amounts",
    {
      config: { role: "viewer" },
      schema: {
        tags,
        summary:
          "What flowed in each step of time, intervals that a step divides spread evenly over their real time",
        params,
        querystring: z.object({
          ...listParts,
          quantity,
          ...stepParts,
        }),
        response: answers({ 200: listOf(amountSchema) }),
      },
    },
    (request, reply) => {
      const { quantity: of, from, to, step, tz, limit, cursor } = request.query;
      const name = asked(request.params.id, of, "/query/quantity");
      checkSteps(from, to, step);
      const timeZone = tz ?? view.registry.city.timeZone;
      return answerList(parts, request, reply, {
        name: "amounts",
        columns: Object.keys(amountSchema.shape) as (keyof typeof amountSchema.shape)[],
        limit,
        cursor,
        read: async (at, most) => {
          const steps = await view.meters.steps({ ...name, fromMs: from, toMs: to, step, timeZone });
          return pageIn(
            steps.map((one) => amountOf(one, of)),
            at,
            most,
          );
        },
      });
    },
  );
}
