import "@mantine/core/styles.css";
import { createTheme, MantineProvider } from "@mantine/core";
import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { createRoot } from "react-dom/client";
import { Problem } from "./api.ts";
import { makeRouter } from "./router.tsx";
import { SayProvider } from "./say.tsx";

const isRefusal = (error: unknown): boolean =>
  error instanceof Problem && error.status >= 400 && error.status < 500;

function makeClient(): QueryClient {
  const onError = (error: unknown): void => {
    if (!(error instanceof Problem) || error.status !== 401) return;
    if (client.getQueryData(["session"])) client.setQueryData(["session", "ended"], true);
    client.setQueryData(["session"], null);
  };
  const client: QueryClient = new QueryClient({
    queryCache: new QueryCache({ onError }),
    mutationCache: new MutationCache({ onError }),
    defaultOptions: {
      queries: {
        staleTime: 5000,
        retry: (failures, error) => failures < 2 && !isRefusal(error),
        networkMode: "always",
      },
      mutations: { networkMode: "always" },
    },
  });
  return client;
}

const nonce = (): string => document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? "";

const theme = createTheme({
  primaryColor: "teal",
  primaryShade: 9,
  fontFamily: 'system-ui, "Segoe UI", "Liberation Sans", "DejaVu Sans", sans-serif',
  defaultRadius: "md",
});

const root = document.getElementById("root");
if (root)
  createRoot(root).render(
    <MantineProvider theme={theme} forceColorScheme="light" getStyleNonce={nonce}>
      <SayProvider>
        <QueryClientProvider client={makeClient()}>
          <RouterProvider router={makeRouter()} />
        </QueryClientProvider>
      </SayProvider>
    </MantineProvider>,
  );
