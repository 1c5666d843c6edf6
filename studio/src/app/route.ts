import { useSyncExternalStore } from "react";

/** Where one is: everything behind the hash, so that the server has one page to serve. */
export type Route =
  | { view: "reel" }
  | { view: "video"; id: string }
  | { view: "compare"; left: string; right: string }
  | { view: "storyboard"; id: string | null }
  | { view: "play" }
  | { view: "settings" };

export function parseRoute(hash: string): Route {
  const [view = "", first, second] = hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
  if (view === "v" && first) return { view: "video", id: first };
  if (view === "compare" && first && second) return { view: "compare", left: first, right: second };
  if (view === "storyboard") return { view: "storyboard", id: first || null };
  if (view === "play") return { view: "play" };
  if (view === "settings") return { view: "settings" };
  return { view: "reel" };
}

export function href(route: Route): string {
  switch (route.view) {
    case "reel":
      return "#/";
    case "video":
      return `#/v/${encodeURIComponent(route.id)}`;
    case "compare":
      return `#/compare/${encodeURIComponent(route.left)}/${encodeURIComponent(route.right)}`;
    case "storyboard":
      return route.id ? `#/storyboard/${encodeURIComponent(route.id)}` : "#/storyboard";
    default:
      return `#/${route.view}`;
  }
}

export function go(route: Route, { replace = false } = {}): void {
  if (replace) {
    history.replaceState(history.state, "", href(route));
    window.dispatchEvent(new HashChangeEvent("hashchange"));
  } else {
    location.hash = href(route);
  }
}

function subscribe(tell: () => void): () => void {
  window.addEventListener("hashchange", tell);
  return () => window.removeEventListener("hashchange", tell);
}

export function useRoute(): Route {
  const hash = useSyncExternalStore(subscribe, () => location.hash);
  return parseRoute(hash);
}
