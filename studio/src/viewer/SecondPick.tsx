import type { Source } from "../api/types";
import { fileOf, useVideos } from "../api/videos";
import { useWords } from "../words/words";

type SecondPickProps = {
  chosen: Source | null;
  onChoose: (source: Source) => void;
  except: string | null;
};

const OFFERED = 24;

/** The other video of two. */
export function SecondPick({ chosen, onChoose, except }: SecondPickProps) {
  const t = useWords();
  const videos = useVideos({ status: "completed" });
  const offered = (videos.data?.pages[0]?.data ?? [])
    .filter((video) => video.id !== except && video.worldreel.verb !== "image")
    .slice(0, OFFERED);
  return (
    <fieldset className="grid gap-1.5">
      <legend className="pb-1.5 text-small text-soft">{t("field.second")}</legend>
      {offered.length === 0 && <p className="text-small text-warn">{t("field.second.none")}</p>}
      <div className="grid max-h-52 grid-cols-4 gap-1 overflow-y-auto p-0.5">
        {offered.map((video) => (
          <button
            key={video.id}
            type="button"
            aria-pressed={chosen?.video_id === video.id}
            aria-label={video.prompt ?? t("untitled")}
            title={video.prompt ?? undefined}
            onClick={() => onChoose({ video_id: video.id })}
            className="aspect-square overflow-hidden rounded-lg ring-lamp aria-pressed:ring-2"
          >
            <img
              src={fileOf(video.id, "small")}
              alt=""
              loading="lazy"
              className="size-full object-cover"
            />
          </button>
        ))}
      </div>
    </fieldset>
  );
}
