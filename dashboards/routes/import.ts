import { z } from "zod";
import { type ImportFault, type ImportFormat, readDevices } from "../../devices/index.js";
import { auditOf, whoOf } from "../access.js";
import { HttpProblem, refusedByRegistry, type RequestFault } from "../problem.js";
import { answers, type Api, type RouteParts, withRawBodies } from "../route.js";

const mostFileBytes = 16 * 2 ** 20;
const mostTold = 1_000;

const formats: Readonly<Record<string, ImportFormat>> = {
  "text/csv": "csv",
  "text/tab-separated-values": "csv",
  "application/yaml": "yaml",
  "application/x-yaml": "yaml",
  "text/yaml": "yaml",
};

const faultSchema = z.object({
  line: z.number().int(),
  column: z.number().int().describe("CSV: number of the cell; YAML: character of the line"),
  code: z.string(),
  field: z.string(),
  message: z.string().describe("what to write instead"),
});

const reportSchema = z.object({
  rows: z.number().int(),
  added: z.number().int(),
  changed: z.number().int(),
  unchanged: z.number().int(),
  applied: z.boolean().describe("false: only asked what would change"),
  faults: z.array(faultSchema).describe("what was left out, with skipFaulty; the first 1,000"),
  faultCount: z.number().int(),
});

const toldOf = (fault: ImportFault): RequestFault => ({ path: "/body", ...fault });

/** `/devices/import`: many devices from a file. */
export function importRoutes(app: Api, { view, users }: RouteParts): void {
  withRawBodies(app, (api) => {
    api.post(
      "/devices/import",
      {
        config: { role: "admin" },
        bodyLimit: mostFileBytes,
        schema: {
          tags: ["registry"],
          summary: "Add and change devices from a CSV or YAML file: all of them, or none",
          description:
            "CSV: headings in the first row (id, class, place, name, model, every, latitude, longitude, devEui …); an empty cell takes away what is known, a missing column leaves it. YAML: devices as a city file writes them. At most 50,000 rows. 422 tells every fault with line, column, code and remedy, the first 1,000.",
          consumes: ["text/csv", "application/yaml"],
          querystring: z.object({
            dryRun: z.stringbool().default(false).describe("only tell what would change"),
            skipFaulty: z.stringbool().default(false).describe("take the rows without a fault"),
          }),
          body: z.unknown().meta({ type: "string", description: "the file" }),
          response: answers({ 200: reportSchema }),
        },
      },
      async (request) => {
        const { dryRun, skipFaulty } = request.query;
        const { body } = request;
        const type = (request.headers["content-type"] ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
        const format = formats[type];
        if (format === undefined)
          throw new HttpProblem(415, "media-type", "give content-type: text/csv or application/yaml");
        if (!Buffer.isBuffer(body) || body.length === 0)
          throw new HttpProblem(400, "body-empty", "give the file as body");
        if (!view.registry.changes)
          throw new HttpProblem(409, "registry-read-only", "the registry can't be changed here");
        const file = await readDevices(body, format);
        const plan = await view.registry.changes
          .importDevices(file, whoOf(request), { dryRun, skipFaulty })
          .catch((error: unknown) => Promise.reject(refusedByRegistry(error) as Error));
        const { faults } = plan;
        const [first] = faults;
        if (first && !skipFaulty) {
          const places = new Set(faults.map(({ line }) => line)).size;
          const said = `nothing was imported: ${faults.length} faults in ${places} lines; the first in line ${first.line}, ${first.field}: ${first.message}`;
          throw new HttpProblem(422, "import-invalid", said.slice(0, 1_000), {
            faults: faults.slice(0, mostTold).map(toldOf),
          });
        }
        const counts = {
          rows: file.rows.length,
          added: plan.added.length,
          changed: plan.changed.length,
          unchanged: plan.unchanged,
          faultCount: faults.length,
        };
        if (!dryRun) await users.audit.record(auditOf(request, "devices.import", format, counts));
        return { ...counts, applied: !dryRun, faults: faults.slice(0, mostTold) };
      },
    );
  });
}
