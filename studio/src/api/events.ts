import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useEffect, useSyncExternalStore } from "react";
import { writeLink } from "./link";
import type { Video } from "./types";
import { dropVideos, putVideo } from "./videos";

const RETRY_MS = 1500;

const previews = new Map<string, string>();
const watchers = new Map<string, Set<() => void>>();

function showPreview(id: string, picture: string | null): void {
  if (picture === null) previews.delete(id);
  else previews.set(id, picture);
  for (const tell of watchers.get(id) ?? []) tell();
}

/** The latest picture of a video on its way, as a data URL. */
export function usePreview(id: string): string | null {
  return useSyncExternalStore(
    (tell) => {
      const set = watchers.get(id) ?? new Set();
      watchers.set(id, set.add(tell));
      return () => {
        set.delete(tell);
        if (set.size === 0) watchers.delete(id);
      };
    },
    () => previews.get(id) ?? null,
  );
}

/** Follows everything that happens on the server, as long as the page is open. */
export function useEvents(signedIn: boolean, onDone: (video: Video) => void): void {
  const client = useQueryClient();
  useEffect(() => {
    if (!signedIn) return;
    return follow(client, onDone);
  }, [client, signedIn, onDone]);
}

function follow(client: QueryClient, onDone: (video: Video) => void): () => void {
  let source: EventSource | null = null;
  let timer = 0;
  let missed = false;
  const open = () => {
    source = new EventSource("/v1/events");
    const on = (name: string, act: (data: never) => void) =>
      source?.addEventListener(name, (event) =>
        act(JSON.parse((event as MessageEvent<string>).data) as never),
      );
    on("video", (video: Video) => putVideo(client, video));
    on("preview", (seen: { id: string; image_url: string }) =>
      showPreview(seen.id, seen.image_url),
    );
    on("done", (video: Video) => {
      putVideo(client, video);
      showPreview(video.id, null);
      onDone(video);
    });
    on("deleted", (gone: { id: string }) => {
      dropVideos(client, [gone.id]);
      showPreview(gone.id, null);
    });
    on("ready", () => {
      writeLink("here");
      // what ended while nobody listened is in the lists only
      if (missed) client.invalidateQueries();
      missed = false;
    });
    source.onerror = () => {
      missed = true;
      // a stream that ended in order comes again at once; only what stays away is worth a word
      if (source?.readyState !== EventSource.CLOSED) return;
      writeLink("gone");
      timer = window.setTimeout(again, RETRY_MS);
    };
  };
  const again = () => {
    source?.close();
    open();
  };
  open();
  return () => {
    clearTimeout(timer);
    source?.close();
  };
}
