import type { Video } from "../api/types";
import { askSettings } from "../api/videos";
import { command } from "../app/commands";
import { useTell } from "../app/Notices";
import { go } from "../app/route";
import { useWords } from "../words/words";
import { changeWish, wishOf } from "./wish";

/** "Reuse settings": what made a video goes back into the composer, its seed too. */
export function useReuse(): (video: Video) => Promise<void> {
  const t = useWords();
  const tell = useTell();
  return async (video) => {
    try {
      const { body } = await askSettings(video.id);
      changeWish(wishOf(body));
      go({ view: "reel" });
      command("compose");
      tell.said(
        body.verb === "create" || body.verb === "image" ? t("reuse.done") : t("reuse.words"),
      );
    } catch (error) {
      tell.problem(error);
    }
  };
}
