import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import type { FastifyRequest } from "fastify";
import {
  type Decoded,
  decodeOrRefuse,
  decoderFailedCode,
  type Fault,
  matchesGlob,
  openCodecs,
} from "../devices/index.js";
import type { PublishedMessage } from "../ingest/index.js";
import { hasRole, whoOf } from "./access.js";
import { HttpProblem } from "./problem.js";
import type { RouteParts } from "./route.js";

const unzip = promisify(gunzip);

/** The body, unpacked, up to `maxBytes`. Throws `body-empty`, `body-broken`, `body-too-large`, `media-type`. */
export async function bodyOf(request: FastifyRequest, maxBytes: number): Promise<Buffer> {
  const { body } = request as { body: unknown };
  if (!Buffer.isBuffer(body) || body.length === 0)
    throw new HttpProblem(400, "body-empty", "give the payload as body");
  const encoding = request.headers["content-encoding"] ?? "identity";
  if (encoding === "identity") return body;
  if (encoding !== "gzip") throw new HttpProblem(415, "media-type", "give content-encoding gzip, or none");
  try {
    return await unzip(body, { maxOutputLength: maxBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE")
      throw new HttpProblem(413, "body-too-large", `unpacked at most ${maxBytes} bytes`);
    throw new HttpProblem(400, "body-broken", "the body isn't what gzip packs");
  }
}

/** What a payload says, by the device that it names. */
function partsOf(decoded: Decoded): { device?: string | undefined; faults: Fault[] }[] {
  if (decoded.kind === "ignored" || decoded.kind === "waiting") return [];
  if (decoded.kind === "refused") return [{ device: decoded.device, faults: [decoded.fault] }];
  return [decoded, ...(decoded.others ?? [])];
}

/** A message that may be published, and what the pipeline will find in it. */
export interface Judged {
  message: PublishedMessage;
  faults: readonly Fault[];
  /** Something of it is taken, whatever else is wrong. */
  isTaken: boolean;
}

/** Where payloads of another program are looked at before they go into the journal. */
export interface Intake {
  /**
   * Looks at a payload as the pipeline will. Throws `role-too-low` when who asks doesn't publish for a device that it names, or nobody
   * can tell which it names.
   */
  judge(request: FastifyRequest, topic: string, payload: Buffer): Judged;
  /** Guarantee: all on disk, in their order, when it resolves. */
  keep(judged: readonly Judged[]): Promise<void>;
}

/** Who may send: an operator for every device, anybody else for those of their token, which may come by any scheme. */
export const senders = { role: "operator", orPublisher: "payload", anyScheme: true } as const;

/** Opens it for {@link senders}. */
export function openIntake({ view, clock }: RouteParts): Intake {
  const codecs = openCodecs(view.registry);
  return {
    judge(request, topic, payload) {
      const user = whoOf(request);
      const message = { topic, payload, user, receivedMs: clock() };
      const codec = codecs(topic);
      const decoded = codec && decodeOrRefuse(codec, { ...message, clientId: "http", qos: 1 }, view.registry);
      const told = decoded ? partsOf(decoded) : [];
      if (!hasRole(request.principal, senders.role)) {
        const globs = request.principal?.publishesFor ?? [];
        if (decoded?.kind === "refused" && decoded.fault.code === decoderFailedCode)
          throw new HttpProblem(403, "role-too-low", `whose it is can't be told: ${decoded.fault.detail}`);
        for (const { device } of told)
          if (device !== undefined && !globs.some((glob) => matchesGlob(glob, device)))
            throw new HttpProblem(403, "role-too-low", `${user} doesn't publish for ${device}`);
      }
      return { message, faults: told.flatMap(({ faults }) => faults), isTaken: decoded?.kind === "decoded" };
    },
    async keep(judged) {
      await Promise.all(judged.map(({ message }) => view.publish(message)));
    },
  };
}
