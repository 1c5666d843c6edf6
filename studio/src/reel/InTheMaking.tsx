import { usePreview } from "../api/events";
import type { Video } from "../api/types";
import { useVideoActs } from "../api/videos";
import { useTell } from "../app/Notices";
import { href } from "../app/route";
import { IconButton } from "../parts/Button";
import { Icon } from "../parts/Icon";
import { useNumbers, useWords } from "../words/words";

/** How a video on its way stands, in a few words. */
export function useStanding(): (video: Video) => string {
  const t = useWords();
  const { span } = useNumbers();
  return (video) => {
    const { queue_position, seconds_left } = video.worldreel;
    const left =
      seconds_left === null
        ? ""
        : ` · ${t("standing.left", { span: span(Math.max(1, Math.ceil(seconds_left))) })}`;
    if (video.status === "queued")
      return (
        (queue_position === null || queue_position <= 1
          ? t("standing.next")
          : t("standing.place", { n: queue_position })) + left
      );
    return t("standing.made", { percent: video.progress }) + left;
  };
}

/** A video on its way: a live picture, its place, the time that is left. */
export function InTheMaking({ video, tab }: { video: Video; tab: number }) {
  const t = useWords();
  const tell = useTell();
  const acts = useVideoActs();
  const standing = useStanding()(video);
  const picture = usePreview(video.id);
  return (
    <div className="relative size-full">
      {picture ? (
        <img src={picture} alt={t("card.preview")} className="size-full object-cover" />
      ) : (
        <span className="grid size-full place-items-center text-[1.7rem] text-faint">
          <Icon name="clock" className={video.status === "in_progress" ? "animate-breathe" : ""} />
        </span>
      )}
      <a
        href={href({ view: "video", id: video.id })}
        tabIndex={tab}
        className="absolute inset-0 -outline-offset-3"
      >
        <span className="absolute inset-x-0 bottom-0 grid gap-1 bg-linear-to-t from-black/90 via-black/60 to-transparent px-3 pt-8 pb-2.5 text-white">
          <span className="script line-clamp-1 text-small">{video.prompt}</span>
          <span className="timecode line-clamp-2">{standing}</span>
          <span className="h-1 overflow-hidden rounded-full bg-white/20">
            <span
              className="block h-full rounded-full bg-[#f0825e] transition-[width] duration-300"
              style={{ width: `${video.status === "queued" ? 0 : Math.max(3, video.progress)}%` }}
            />
          </span>
        </span>
      </a>
      <IconButton
        icon="close"
        label={t("cancel")}
        tabIndex={tab}
        className="absolute top-1.5 right-1.5 bg-black/65 text-white hover:bg-black/85 hover:text-white"
        onClick={() => acts.cancel({ video_ids: [video.id] }).catch(tell.problem)}
      />
    </div>
  );
}
