import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { ask } from "./client";
import type { ApiKey, Folder, KeyWithSecret, List, Model, Pull, Server } from "./types";

export function useServer() {
  return useQuery({
    queryKey: ["server"],
    queryFn: ({ signal }) => ask<Server>("GET", "/v1/server", { signal }),
    refetchInterval: 15_000,
  });
}

/** The models by their own names; the names of OpenAI's that they answer to are left out. */
export function useModels() {
  return useQuery({
    queryKey: ["models"],
    staleTime: 60_000,
    queryFn: ({ signal }) => ask<List<Model>>("GET", "/v1/models", { signal }),
    select: (list) => list.data.filter((model) => !model.worldreel.official_sizes),
  });
}

/** The same, and the open models that could be brought to the server's machine. */
export function useAllModels() {
  return useQuery({
    queryKey: ["models", "all"],
    queryFn: ({ signal }) => ask<List<Model>>("GET", "/v1/models?all=true", { signal }),
    select: (list) => list.data.filter((model) => !model.worldreel.official_sizes),
  });
}

export function useModel(name: string | null): Model | undefined {
  const { data } = useModels();
  return (
    data?.find((model) => model.id === name) ??
    data?.find((model) => model.worldreel.is_default) ??
    data?.[0]
  );
}

export function usePull(model: string) {
  const client = useQueryClient();
  const path = `/v1/models/${encodeURIComponent(model)}/pull`;
  const onSettled = () => client.invalidateQueries({ queryKey: ["pull", model] });
  const state = useQuery({
    queryKey: ["pull", model],
    queryFn: async ({ signal }) => {
      const pull = await ask<Pull>("GET", path, { signal });
      if (pull.status === "done") client.invalidateQueries({ queryKey: ["models"] });
      return pull;
    },
    refetchInterval: (query) => (query.state.data?.status === "running" ? 1000 : false),
  });
  const begin = useMutation({ mutationFn: () => ask<Pull>("POST", path), onSettled });
  const stop = useMutation({ mutationFn: () => ask<Pull>("DELETE", path), onSettled });
  return { state, begin, stop };
}

export function useFolders() {
  return useQuery({
    queryKey: ["folders"],
    queryFn: ({ signal }) => ask<List<Folder>>("GET", "/v1/folders", { signal }),
    select: (list) => list.data,
  });
}

export function useFolderActs() {
  const client = useQueryClient();
  const fresh = () => client.invalidateQueries({ queryKey: ["folders"] });
  return {
    make: useMutation({
      mutationFn: (name: string) => ask<Folder>("POST", "/v1/folders", { body: { name } }),
      onSuccess: fresh,
    }),
    rename: useMutation({
      mutationFn: ({ id, name }: { id: string; name: string }) =>
        ask<Folder>("POST", `/v1/folders/${id}`, { body: { name } }),
      onSuccess: fresh,
    }),
    remove: useMutation({
      mutationFn: (id: string) => ask("DELETE", `/v1/folders/${id}`),
      onSuccess: () => {
        fresh();
        client.invalidateQueries({ queryKey: ["videos"] });
      },
    }),
  };
}

export function useKeys(admin: boolean) {
  return useQuery({
    queryKey: ["keys"],
    enabled: admin,
    queryFn: ({ signal }) => ask<List<ApiKey>>("GET", "/v1/keys", { signal }),
    select: (list) => list.data,
  });
}

export function useKeyActs() {
  const client = useQueryClient();
  const fresh = () => client.invalidateQueries({ queryKey: ["keys"] });
  return {
    make: useMutation({
      mutationFn: (body: { owner: string; admin: boolean }) =>
        ask<KeyWithSecret>("POST", "/v1/keys", { body }),
      onSuccess: fresh,
    }),
    revoke: useMutation({
      mutationFn: (id: string) => ask("DELETE", `/v1/keys/${id}`),
      onSuccess: fresh,
    }),
  };
}
