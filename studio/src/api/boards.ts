import { useQuery, useQueryClient } from "@tanstack/react-query";
import { ask, askText } from "./client";
import type { Board, List, Storyboard } from "./types";

export function useBoards() {
  return useQuery({
    queryKey: ["storyboards"],
    queryFn: ({ signal }) => ask<List<Storyboard>>("GET", "/v1/storyboards?limit=100", { signal }),
    select: (list) => list.data,
  });
}

export function useBoard(id: string | null) {
  return useQuery({
    queryKey: ["storyboard", id],
    enabled: id !== null,
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: ({ signal }) => ask<Storyboard>("GET", `/v1/storyboards/${id}`, { signal }),
  });
}

export function useBoardActs() {
  const client = useQueryClient();
  const fresh = () => client.invalidateQueries({ queryKey: ["storyboards"] });
  return {
    make: async (body: { name: string } & ({ board: Board } | { toml: string })) => {
      const made = await ask<Storyboard>("POST", "/v1/storyboards", { body });
      client.setQueryData(["storyboard", made.id], made);
      fresh();
      return made;
    },
    save: async (id: string, body: { name?: string; board?: Board }) => {
      const saved = await ask<Storyboard>("POST", `/v1/storyboards/${id}`, { body });
      client.setQueryData(["storyboard", id], saved);
      fresh();
      return saved;
    },
    remove: async (id: string) => {
      await ask("DELETE", `/v1/storyboards/${id}`);
      client.removeQueries({ queryKey: ["storyboard", id] });
      fresh();
    },
    file: (id: string) => askText(`/v1/storyboards/${id}/file`),
  };
}
