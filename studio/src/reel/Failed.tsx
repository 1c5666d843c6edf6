import { useMake } from "../api/making";
import type { Video } from "../api/types";
import { askSettings, useVideoActs } from "../api/videos";
import { useExplainFailure } from "../app/explain";
import { useTell } from "../app/Notices";
import { href } from "../app/route";
import { IconButton } from "../parts/Button";
import { Icon } from "../parts/Icon";
import { useWords } from "../words/words";

/** Makes again what failed or was stopped, with the same settings. */
export function useMakeAgain(): (video: Video) => Promise<void> {
  const make = useMake();
  const tell = useTell();
  return async (video) => {
    try {
      await make((await askSettings(video.id)).body);
    } catch (error) {
      tell.problem(error);
    }
  };
}

/** A video that was not made: why, and what to do. */
export function Failed({ video, tab }: { video: Video; tab: number }) {
  const t = useWords();
  const tell = useTell();
  const acts = useVideoActs();
  const again = useMakeAgain();
  const stopped = video.error?.code === "cancelled";
  const { what } = useExplainFailure()(video.error ?? { code: "", message: "" });
  return (
    <div className="flex size-full flex-col justify-between p-3 text-small">
      <a
        href={href({ view: "video", id: video.id })}
        tabIndex={tab}
        className="min-h-0 overflow-hidden rounded-md"
      >
        <span
          className={`flex items-center gap-1.5 font-semibold ${stopped ? "text-soft" : "text-bad"}`}
        >
          <Icon name={stopped ? "minus" : "alert"} />
          {stopped ? t("failure.cancelled") : t("failure")}
        </span>
        {!stopped && <span className="mt-1 line-clamp-3 text-soft">{what}</span>}
        <span className="script mt-1 line-clamp-2 text-faint">{video.prompt}</span>
      </a>
      <span className="flex justify-end gap-1">
        <IconButton icon="reuse" label={t("again")} tabIndex={tab} onClick={() => again(video)} />
        <IconButton
          icon="trash"
          label={t("delete")}
          tabIndex={tab}
          onClick={() => acts.remove([video.id]).catch(tell.problem)}
        />
      </span>
    </div>
  );
}
