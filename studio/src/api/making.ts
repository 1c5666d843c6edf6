import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { ask, Problem } from "./client";
import type { CanvasBody, Estimate, Video } from "./types";
import { putVideo } from "./videos";

/** Hands in a request; its takes are in the reel when it returns. */
export function useMake() {
  const client = useQueryClient();
  return async (body: CanvasBody): Promise<Video[]> => {
    const idempotencyKey = crypto.randomUUID();
    const made = await ask<{ data: Video[] }>("POST", "/v1/canvases", { body, idempotencyKey });
    // the newest stands first: the last take goes in before the first
    for (const video of [...made.data].reverse()) putVideo(client, video);
    return made.data;
  };
}

/** What a request would cost; it is asked once one has stopped changing it. */
export function useEstimate(body: CanvasBody | null) {
  const text = useSettled(body ? JSON.stringify(body) : "");
  return useQuery({
    queryKey: ["estimate", text],
    enabled: text !== "",
    staleTime: 5_000,
    gcTime: 30_000,
    retry: false,
    queryFn: ({ signal }) =>
      ask<Estimate>("POST", "/v1/canvases/estimates", { body: JSON.parse(text), signal }),
    placeholderData: (before) => before,
  });
}

function useSettled(text: string, afterMs = 350): string {
  const [settled, settle] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => settle(text), text === "" ? 0 : afterMs);
    return () => clearTimeout(timer);
  }, [text, afterMs]);
  return settled;
}

export function problemOf(error: unknown): Problem | null {
  return error instanceof Problem ? error : null;
}
