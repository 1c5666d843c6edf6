import {
  type InfiniteData,
  type QueryClient,
  useInfiniteQuery,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { ask, query } from "./client";
import type { Lineage, Marks, Status, Verb, Video, VideoList, VideoSettings } from "./types";

export type Filters = {
  q?: string;
  model?: string;
  size?: string;
  status?: Status;
  verb?: Verb;
  favourite?: boolean;
  picked?: boolean;
  folder_id?: string;
};
type Pages = InfiniteData<VideoList, string | null>;

const PAGE = 100;

export type Variant = "video" | "thumbnail" | "small" | "image" | "spritesheet";

/** Where a file of a finished video is. */
export function fileOf(video: string, variant: Variant): string {
  return `/v1/videos/${encodeURIComponent(video)}/content?variant=${variant}`;
}

export function useVideos(filters: Filters) {
  return useInfiniteQuery({
    queryKey: ["videos", filters],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam, signal }) =>
      ask<VideoList>("GET", `/v1/videos${query({ ...filters, limit: PAGE, after: pageParam })}`, {
        signal,
      }),
    getNextPageParam: (last) => (last.has_more ? last.last_id : null),
    placeholderData: (before) => before,
    // comparing all known pages with each new one would take longer than a frame
    structuralSharing: false,
  });
}

export function useVideo(id: string) {
  const client = useQueryClient();
  return useQuery({
    queryKey: ["video", id],
    queryFn: ({ signal }) => ask<Video>("GET", `/v1/videos/${encodeURIComponent(id)}`, { signal }),
    initialData: () => findVideo(client, id),
    initialDataUpdatedAt: 0,
  });
}

/** The takes of one request. */
export function useBatch(batch: string | null) {
  return useQuery({
    queryKey: ["batch", batch],
    enabled: batch !== null,
    queryFn: ({ signal }) =>
      ask<VideoList>("GET", `/v1/videos${query({ batch_id: batch, limit: PAGE, order: "asc" })}`, {
        signal,
      }),
  });
}

export function useLineage(id: string) {
  return useQuery({
    queryKey: ["lineage", id],
    queryFn: ({ signal }) =>
      ask<Lineage>("GET", `/v1/videos/${encodeURIComponent(id)}/lineage`, { signal }),
  });
}

export function askSettings(id: string): Promise<VideoSettings> {
  return ask("GET", `/v1/videos/${encodeURIComponent(id)}/settings`);
}

export function findVideo(client: QueryClient, id: string): Video | undefined {
  for (const [, pages] of client.getQueriesData<Pages>({ queryKey: ["videos"] }))
    for (const page of pages?.pages ?? [])
      for (const video of page.data) if (video.id === id) return video;
  return undefined;
}

/** Puts what is newly known of a video wherever it is shown. */
export function putVideo(client: QueryClient, video: Video): void {
  if (client.getQueryData(["video", video.id])) client.setQueryData(["video", video.id], video);
  for (const [key, pages] of client.getQueriesData<Pages>({ queryKey: ["videos"] })) {
    if (!pages) continue;
    const next = replaced(pages, video);
    if (next) client.setQueryData(key, next);
    else if (isEverything(key[1] as Filters)) client.setQueryData(key, prepended(pages, video));
    else if (video.status === "queued" || video.status === "completed")
      client.invalidateQueries({ queryKey: key, exact: true });
  }
  if (video.worldreel.batch_id) {
    client.setQueryData<VideoList>(["batch", video.worldreel.batch_id], (list) => {
      if (!list) return list;
      const data = list.data.map((known) => (known.id === video.id ? video : known));
      return { ...list, data };
    });
  }
}

export function dropVideos(client: QueryClient, ids: readonly string[]): void {
  const gone = new Set(ids);
  for (const [key, pages] of client.getQueriesData<Pages>({ queryKey: ["videos"] })) {
    if (!pages) continue;
    const kept = pages.pages.map((page) => {
      const data = page.data.filter((video) => !gone.has(video.id));
      return { ...page, data, total: page.total - (page.data.length - data.length) };
    });
    client.setQueryData(key, { ...pages, pages: kept });
  }
}

function isEverything(filters: Filters): boolean {
  return Object.values(filters).every((value) => value === undefined || value === "");
}

function replaced(pages: Pages, video: Video): Pages | null {
  let found = false;
  const next = pages.pages.map((page) => {
    if (!page.data.some((known) => known.id === video.id)) return page;
    found = true;
    return { ...page, data: page.data.map((known) => (known.id === video.id ? video : known)) };
  });
  return found ? { ...pages, pages: next } : null;
}

function prepended(pages: Pages, video: Video): Pages {
  const [first, ...rest] = pages.pages;
  if (!first) return pages;
  // a take that was told late stands where its time is, so that takes stay in order
  const at = first.data.findIndex((known) => known.created_at <= video.created_at);
  const data =
    at < 0 ? [...first.data, video] : [...first.data.slice(0, at), video, ...first.data.slice(at)];
  return { ...pages, pages: [{ ...first, data, total: first.total + 1 }, ...rest] };
}

/** Acts on videos; each shows its effect at once, wherever they are. */
export function useVideoActs() {
  const client = useQueryClient();
  return {
    mark: async (ids: readonly string[], marks: Marks) => {
      const done = await ask<{ data: Video[] }>("POST", "/v1/marks", {
        body: { video_ids: ids, ...marks },
      });
      for (const video of done.data) putVideo(client, video);
      client.invalidateQueries({ queryKey: ["folders"] });
    },
    cancel: async (
      what: { video_ids: readonly string[] } | { batch_id: string } | { all: true },
    ) => {
      const done = await ask<{ data: Video[] }>("POST", "/v1/cancellations", { body: what });
      for (const video of done.data) putVideo(client, video);
      return done.data.length;
    },
    remove: async (ids: readonly string[]) => {
      await ask("POST", "/v1/deletions", { body: { video_ids: ids } });
      dropVideos(client, ids);
      client.invalidateQueries({ queryKey: ["lineage"] });
      client.invalidateQueries({ queryKey: ["server"] });
    },
  };
}
