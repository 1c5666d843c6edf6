import type { Filters } from "../api/videos";

/** What of the reel is shown. */
export type Shown = {
  q: string;
  what: "all" | "favourite" | "picked" | "living" | "failed";
  folder: string;
  model: string;
  size: string;
};

export const NO_FILTERS: Shown = { q: "", what: "all", folder: "", model: "", size: "" };

export function filtersOf(shown: Shown): Filters {
  const { q, what, folder, model, size } = shown;
  return {
    ...(q.trim() && { q: q.trim() }),
    ...(folder && { folder_id: folder }),
    ...(model && { model }),
    ...(size && { size }),
    ...(what === "favourite" && { favourite: true }),
    ...(what === "picked" && { picked: true }),
    ...(what === "living" && { status: "in_progress" as const }),
    ...(what === "failed" && { status: "failed" as const }),
  };
}
