import { useSyncExternalStore } from "react";

/** Whether the server is there: known from its answers and from the stream of events. */
export type Link = "here" | "gone";

let link: Link = "here";
const listeners = new Set<() => void>();

export function writeLink(now: Link): void {
  if (now === link) return;
  link = now;
  for (const tell of listeners) tell();
}

export function useLink(): Link {
  return useSyncExternalStore(
    (tell) => {
      listeners.add(tell);
      return () => listeners.delete(tell);
    },
    () => link,
  );
}
