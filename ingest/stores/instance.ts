import { DuckDBInstance } from "@duckdb/node-api";

/** Opens DuckDB on a file, or ":memory:". Row order isn't kept unless a query asks for it, and nothing is fetched from elsewhere. */
export function openInstance(path: string, options: Record<string, string>): Promise<DuckDBInstance> {
  return DuckDBInstance.create(path, {
    // What a commit used goes back to the system, instead of being kept for a larger one.
    allocator_flush_threshold: "4MB",
    autoinstall_known_extensions: "false",
    preserve_insertion_order: "false",
    ...options,
  });
}
