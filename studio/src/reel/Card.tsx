import { memo, useState } from "react";
import type { Video } from "../api/types";
import { fileOf, useVideoActs } from "../api/videos";
import { useTell } from "../app/Notices";
import { href } from "../app/route";
import { Icon, type IconName } from "../parts/Icon";
import { useWords } from "../words/words";
import { CardMenu } from "./CardMenu";
import { Failed } from "./Failed";
import { InTheMaking } from "./InTheMaking";
import { timeShown } from "./timeShown";

type CardProps = {
  video: Video;
  active: boolean;
  selected: boolean;
  onSelect: (id: string) => void;
};

/** One video on the wall: its picture, which plays under the pointer or the focus. */
export const Card = memo(function Card({ video, active, selected, onSelect }: CardProps) {
  const t = useWords();
  const [near, setNear] = useState(false);
  const done = video.status === "completed";
  const tab = active ? 0 : -1;
  return (
    <article
      className={`group relative size-full overflow-hidden rounded-xl bg-card transition-shadow ${selected ? "ring-3 ring-lamp" : "hover:shadow-lift"}`}
      onPointerEnter={(event) => event.pointerType === "mouse" && setNear(true)}
      onPointerLeave={() => setNear(false)}
      onFocus={() => setNear(true)}
      onBlur={(event) => !event.currentTarget.contains(event.relatedTarget) && setNear(false)}
    >
      {done ? (
        <Finished video={video} playing={near} tab={tab} />
      ) : video.status === "failed" ? (
        <Failed video={video} tab={tab} />
      ) : (
        <InTheMaking video={video} tab={tab} />
      )}
      {done && (near || active || selected || video.worldreel.favourite) && (
        <div className="absolute top-1.5 right-1.5 flex gap-1">
          <MarkButtons video={video} tab={tab} shown={near} />
          {/* the rest is made when it is wanted: a wall of two thousand would carry it all along */}
          {(near || active || selected) && (
            <>
              <CornerButton
                icon="check"
                label={t("select")}
                pressed={selected}
                shown={near || selected}
                tab={tab}
                onClick={() => onSelect(video.id)}
              />
              <CardMenu video={video} tab={tab} shown={near} />
            </>
          )}
        </div>
      )}
    </article>
  );
});

function Finished({ video, playing, tab }: { video: Video; playing: boolean; tab: number }) {
  const t = useWords();
  const still = video.worldreel.verb === "image";
  return (
    <a
      href={href({ view: "video", id: video.id })}
      tabIndex={tab}
      className="block size-full -outline-offset-3"
    >
      <img
        src={fileOf(video.id, still ? "thumbnail" : "small")}
        alt=""
        loading="lazy"
        decoding="async"
        className="size-full object-cover"
      />
      {playing && !still && (
        <video
          src={fileOf(video.id, "video")}
          muted
          loop
          autoPlay
          playsInline
          aria-hidden="true"
          tabIndex={-1}
          className="absolute inset-0 size-full animate-enter object-cover"
        />
      )}
      <span
        className={`absolute inset-x-0 bottom-0 grid gap-0.5 bg-linear-to-t from-black/85 via-black/55 to-transparent px-3 pt-10 pb-2.5 text-white transition-opacity duration-200 ${playing ? "opacity-100" : "opacity-0"}`}
      >
        <span className="script line-clamp-2 text-small">{video.prompt ?? t("untitled")}</span>
        <span className="timecode flex justify-between gap-2">
          <span>{t(`verb.${video.worldreel.verb}`)}</span>
          <span>{still ? video.size.replace("x", "×") : timeShown(video)}</span>
        </span>
        <span className="sr-only">{t("take.n", { n: video.worldreel.take })}</span>
      </span>
      {video.worldreel.picked && (
        <span className="absolute top-1.5 left-1.5 rounded-full bg-lamp px-2 py-0.5 text-tiny font-semibold text-on-lamp">
          {t("picked")}
        </span>
      )}
    </a>
  );
}

function MarkButtons({ video, tab, shown }: { video: Video; tab: number; shown: boolean }) {
  const t = useWords();
  const tell = useTell();
  const acts = useVideoActs();
  const { favourite } = video.worldreel;
  return (
    <CornerButton
      icon="star"
      label={t("favourite")}
      pressed={favourite}
      shown={shown || favourite}
      filled={favourite}
      tab={tab}
      onClick={() => acts.mark([video.id], { favourite: !favourite }).catch(tell.problem)}
    />
  );
}

type CornerProps = {
  icon: IconName;
  label: string;
  pressed: boolean;
  shown: boolean;
  tab: number;
  filled?: boolean;
  onClick: () => void;
};

/** A round button on a picture; it stays where it says something. */
function CornerButton({ icon, label, pressed, shown, tab, filled = false, onClick }: CornerProps) {
  return (
    <button
      type="button"
      aria-label={label}
      aria-pressed={pressed}
      tabIndex={tab}
      onClick={onClick}
      className={`grid size-8 place-items-center rounded-full bg-black/65 text-white transition-opacity hover:bg-black/85 ${pressed ? "text-[#ffb08f]" : ""} ${shown ? "opacity-100" : "opacity-0 focus-visible:opacity-100 pointer-coarse:hidden"}`}
    >
      <Icon name={icon} filled={filled} />
    </button>
  );
}
