import { useStored } from "../app/stored";

export type Theme = "dark" | "light" | "system";
export const THEMES: readonly Theme[] = ["dark", "light", "system"];

const LIGHT = window.matchMedia("(prefers-color-scheme: light)");

/** Dark unless somebody says otherwise: pictures are judged in a dark room. */
export function useTheme() {
  return useStored<Theme>("theme", "dark");
}

export function showTheme(theme: Theme): () => void {
  const show = () => {
    const light = theme === "light" || (theme === "system" && LIGHT.matches);
    document.documentElement.dataset.theme = light ? "light" : "dark";
  };
  show();
  LIGHT.addEventListener("change", show);
  return () => LIGHT.removeEventListener("change", show);
}
