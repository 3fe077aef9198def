import { Button, PasswordInput, Stack, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useEffect } from "react";
import { logIn, Problem } from "../api.ts";
import { FaultBox } from "../parts/states.tsx";
import { useSay } from "../say.tsx";

/** The form that asks who is there. */
export function LogIn({ languageSwitch }: { languageSwitch: ReactNode }): ReactNode {
  const { w } = useSay();
  const client = useQueryClient();
  const enter = useMutation({
    mutationFn: ({ user, password }: { user: string; password: string }) => logIn(user, password),
    onSuccess: async () => {
      client.setQueryData(["session", "ended"], false);
      await client.invalidateQueries({ queryKey: ["session"], exact: true });
    },
  });
  useEffect(() => {
    document.title = `${w.logIn.title} – Obieg`;
  }, [w]);
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const [user, password] = [form.get("user"), form.get("password")];
    if (typeof user === "string" && typeof password === "string") enter.mutate({ user, password });
  };
  const status = enter.error instanceof Problem ? enter.error.status : undefined;
  const refused =
    status === 401 || status === 400 ? w.logIn.wrong : status === 429 ? w.logIn.tooOften : undefined;
  return (
    <main className="frame">
      <div className="login card">
        <Stack>
          <div className="bar">
            <span className="brand">
              <img src="/mark.svg" alt="" />
              Obieg
            </span>
            <span className="push">{languageSwitch}</span>
          </div>
          <h1>{w.logIn.title}</h1>
          {client.getQueryData(["session", "ended"]) === true && <p role="status">{w.logIn.ended}</p>}
          <form onSubmit={submit}>
            <Stack>
              <TextInput
                name="user"
                label={w.logIn.user}
                autoComplete="username"
                required
                autoFocus
                withAsterisk={false}
              />
              <PasswordInput
                name="password"
                label={w.logIn.password}
                autoComplete="current-password"
                required
                withAsterisk={false}
                visibilityToggleButtonProps={{ "aria-hidden": true }}
              />
              <div role="alert">
                {refused !== undefined && <p className="pill bad">{refused}</p>}
                {enter.isError && refused === undefined && <FaultBox error={enter.error} />}
              </div>
              <Button type="submit" loading={enter.isPending}>
                {w.logIn.submit}
              </Button>
            </Stack>
          </form>
        </Stack>
      </div>
    </main>
  );
}
