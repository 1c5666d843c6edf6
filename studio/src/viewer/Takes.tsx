import { usePreview } from "../api/events";
import type { Video } from "../api/types";
import { fileOf, useBatch } from "../api/videos";
import { href } from "../app/route";
import { Icon } from "../parts/Icon";
import { useWords } from "../words/words";

/** The other takes of the same request: walk between them, or put two side by side. */
export function Takes({ video }: { video: Video }) {
  const t = useWords();
  const { data } = useBatch(video.worldreel.batch_id);
  const takes = data?.data ?? [];
  if (takes.length < 2) return null;
  return (
    <nav aria-label={t("takes.of")} className="flex gap-2 overflow-x-auto p-1">
      {takes.map((take) => (
        <div key={take.id} className="grid w-24 shrink-0 gap-1">
          <a
            href={href({ view: "video", id: take.id })}
            aria-current={take.id === video.id ? "page" : undefined}
            aria-label={t("take.n", { n: take.worldreel.take })}
            className="relative block aspect-square overflow-hidden rounded-xl bg-card ring-lamp aria-[current=page]:ring-2"
          >
            <Picture take={take} />
            <span className="timecode absolute bottom-1 left-1 rounded bg-black/70 px-1.5 text-white">
              {take.worldreel.take}
            </span>
            {take.worldreel.picked && (
              <Icon
                name="check"
                className="absolute top-1 right-1 rounded-full bg-lamp text-on-lamp"
              />
            )}
          </a>
          {take.id !== video.id && take.status === "completed" && video.status === "completed" && (
            <a
              href={href({ view: "compare", left: video.id, right: take.id })}
              className="flex items-center justify-center gap-1 rounded-full py-0.5 text-tiny text-soft hover:bg-lift hover:text-ink"
            >
              <Icon name="compare" /> {t("compare")}
            </a>
          )}
        </div>
      ))}
    </nav>
  );
}

function Picture({ take }: { take: Video }) {
  const live = usePreview(take.id);
  const source = take.status === "completed" ? fileOf(take.id, "small") : live;
  if (!source)
    return (
      <span className="grid size-full place-items-center text-faint">
        <Icon name={take.status === "failed" ? "alert" : "clock"} />
      </span>
    );
  return <img src={source} alt="" className="size-full object-cover" />;
}
