import { Alert, Button, Loader } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Problem } from "../api.ts";
import { useSay } from "../say.tsx";

/** A fault in words that help, with its code for who mends it. */
export function FaultBox(props: { error: unknown; onRetry?: () => void; title?: string }): ReactNode {
  const { error, onRetry, title } = props;
  const { w } = useSay();
  const problem = error instanceof Problem ? error : undefined;
  const words =
    problem === undefined
      ? w.crashed
      : problem.code === "unreachable"
        ? w.faultUnreachable
        : problem.status === 403
          ? w.faultForbidden
          : [problem.message, problem.detail].filter((part) => part).join(". ");
  return (
    <Alert color="red" variant="outline" title={title ?? w.faultTitle} role="alert">
      <p>{words}</p>
      {problem !== undefined && problem.code !== "unreachable" && (
        <p className="dim">
          {w.faultCode}: <code>{problem.code}</code>
        </p>
      )}
      {onRetry && (
        <Button variant="default" onClick={onRetry}>
          {w.retry}
        </Button>
      )}
    </Alert>
  );
}

/** Says that something is on its way. */
export function Loading(): ReactNode {
  const { w } = useSay();
  return (
    <p role="status" className="dim">
      <Loader size="xs" aria-hidden /> {w.loading}
    </p>
  );
}

/** Says that there is nothing, and what that means. */
export const Empty = ({ children }: { children: ReactNode }): ReactNode => (
  <p className="card dim">{children}</p>
);

/** Shows a query's answer, or that it loads, or why it failed. An answer once had stays while it is asked again. */
export function Loaded<T>({
  query,
  children,
}: {
  query: UseQueryResult<T>;
  children: (data: T) => ReactNode;
}): ReactNode {
  if (query.data !== undefined) return children(query.data);
  if (query.isError) return <FaultBox error={query.error} onRetry={() => void query.refetch()} />;
  return <Loading />;
}

/** How grave something is: its colour and, always, a word. */
export type Tone = "good" | "warn" | "bad" | "calm";

/** A word on a coloured ground. */
export const Pill = ({ tone, children }: { tone: Tone; children: ReactNode }): ReactNode => (
  <span className={`pill ${tone}`}>{children}</span>
);
