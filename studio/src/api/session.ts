import { useQuery, useQueryClient } from "@tanstack/react-query";
import { ask, keepCsrfToken, Problem } from "./client";
import type { Session } from "./types";

/** A token in the address, of the line that `worldreel serve` printed; it works once. */
function takeToken(): string | null {
  const found = /[#&]token=([\w.~-]+)/.exec(location.hash);
  if (!found) return null;
  history.replaceState(null, "", `${location.pathname}#/`);
  return found[1] ?? null;
}

async function openSession(): Promise<Session | null> {
  const token = takeToken();
  try {
    let session: Session | null = null;
    if (token) session = await signIn(token).catch(() => null);
    session ??= await ask<Session>("GET", "/v1/session");
    keepCsrfToken(session.csrf_token);
    return session;
  } catch (error) {
    if (error instanceof Problem && error.status === 401) return null;
    throw error;
  }
}

async function signIn(key: string): Promise<Session> {
  const session = await ask<Session>("POST", "/v1/session", { bearer: key });
  keepCsrfToken(session.csrf_token);
  return session;
}

/** Who one is here; null: nobody yet. */
export function useSession() {
  return useQuery({
    queryKey: ["session"],
    queryFn: openSession,
    staleTime: Number.POSITIVE_INFINITY,
    retry: (count, error) => error instanceof Problem && error.gone && count < 1000,
    retryDelay: 1500,
  });
}

export function useSigning() {
  const client = useQueryClient();
  return {
    enter: async (key: string) => client.setQueryData(["session"], await signIn(key)),
    leave: async () => {
      await ask("DELETE", "/v1/session");
      keepCsrfToken(null);
      client.setQueryData(["session"], null);
      client.removeQueries({ predicate: (query) => query.queryKey[0] !== "session" });
    },
    /** What the page knew is gone: a cookie that has expired, a key that was revoked. */
    lost: () => client.setQueryData(["session"], null),
  };
}
