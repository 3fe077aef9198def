import type { Database } from "lmdb";
import type { StateStore } from "./stores/state.js";

/** Removes from a table, whose keys are devices, those that went; gives them once that is on disk. */
export async function forgetGone(
  state: StateStore,
  table: Pick<Database<unknown, string>, "remove">,
  devices: Iterable<string>,
  isThere: (device: string) => boolean,
): Promise<string[]> {
  const gone = [...devices].filter((device) => !isThere(device));
  if (gone.length === 0) return gone;
  await state.transaction(() => {
    for (const device of gone) void table.remove(device);
  });
  return gone;
}
