import { useEffect } from "react";
import { command } from "./commands";
import { go } from "./route";

/** Whether keys belong to a field just now. */
export function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable ||
      /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) ||
      target.closest("[role=menu],[role=dialog]") !== null)
  );
}

const SECOND_KEY_MS = 1200;

/** Keys that act everywhere: / search, n new, ? help, and g with a letter to go somewhere. */
export function useShortcuts(): void {
  useEffect(() => {
    let goneAt = 0;
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      if (event.timeStamp - goneAt < SECOND_KEY_MS) {
        goneAt = 0;
        if (event.key === "r") return go({ view: "reel" });
        if (event.key === "b") return go({ view: "storyboard", id: null });
        if (event.key === "p") return go({ view: "play" });
        if (event.key === "s") return go({ view: "settings" });
      }
      if (event.key === "g") goneAt = event.timeStamp;
      else if (event.key === "?") command("help");
      else if (event.key === "/" || event.key === "n") {
        event.preventDefault();
        if (location.hash.length > 2) go({ view: "reel" });
        // the reel may have to come first
        const name = event.key === "/" ? "search" : "compose";
        requestAnimationFrame(() => requestAnimationFrame(() => command(name)));
      }
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
}
