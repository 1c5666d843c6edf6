import { useEffect, useRef, useState } from "react";
import { usePreview } from "../api/events";
import type { Video } from "../api/types";
import { fileOf, useVideo } from "../api/videos";
import { href } from "../app/route";
import { IconButton } from "../parts/Button";
import { Frame, sidesOf } from "../parts/Frame";
import { Icon } from "../parts/Icon";
import { useStanding } from "../reel/InTheMaking";
import { timecode, useWords } from "../words/words";
import { CardPicture } from "./Axis";
import { type Card, cardAt, startOf, total } from "./board";

type ScreenProps = {
  cards: readonly Card[];
  at_s: number;
  onSeek: (at_s: number) => void;
  fps: number;
  size: readonly number[];
  render: string | null;
};

const SHARE = 48;

/** The whole, played: as cards until it is made, as the video that was made of them after. */
export function Screen(props: ScreenProps) {
  const { render } = props;
  return render ? <WithRender key={render} {...props} render={render} /> : <Animatic {...props} />;
}

function WithRender(props: ScreenProps & { render: string }) {
  const t = useWords();
  const { data: video } = useVideo(props.render);
  const [cards, showCards] = useState(false);
  if (!video || video.status === "failed" || cards)
    return (
      <Animatic
        {...props}
        onRender={video?.status === "completed" ? () => showCards(false) : undefined}
      />
    );
  return (
    <section
      aria-label={t("board.screen")}
      className="grid min-h-56 content-start justify-items-center gap-2"
    >
      {video.status === "completed" ? (
        <Film video={video} at_s={props.at_s} onSeek={props.onSeek} />
      ) : (
        <Rendering video={video} />
      )}
      <div className="flex gap-3 text-small">
        <button
          type="button"
          className="rounded-full px-3 py-1 text-soft hover:bg-lift hover:text-ink"
          onClick={() => showCards(true)}
        >
          {t("board.cards")}
        </button>
        <a
          href={href({ view: "video", id: video.id })}
          className="rounded-full px-3 py-1 text-soft hover:bg-lift hover:text-ink"
        >
          {t("board.open")}
        </a>
      </div>
    </section>
  );
}

function Rendering({ video }: { video: Video }) {
  const t = useWords();
  const standing = useStanding()(video);
  const picture = usePreview(video.id);
  const [width, height] = sidesOf(video.size);
  return (
    <Frame width={width} height={height} share={SHARE}>
      {picture && (
        <img src={picture} alt={t("card.preview")} className="size-full object-contain" />
      )}
      <span
        role="status"
        className="timecode absolute inset-x-0 bottom-0 bg-black/70 px-3 py-2 text-center text-white"
      >
        {standing}
      </span>
    </Frame>
  );
}

function Film({
  video,
  at_s,
  onSeek,
}: {
  video: Video;
  at_s: number;
  onSeek: (at_s: number) => void;
}) {
  const t = useWords();
  const element = useRef<HTMLVideoElement>(null);
  const [width, height] = sidesOf(video.size);
  useEffect(() => {
    const film = element.current;
    if (film?.paused && Math.abs(film.currentTime - at_s) > 0.02) film.currentTime = at_s;
  }, [at_s]);
  return (
    <Frame width={width} height={height} share={SHARE}>
      <video
        ref={element}
        src={fileOf(video.id, "video")}
        aria-label={t("board.screen")}
        controls
        muted
        autoPlay
        playsInline
        onTimeUpdate={(event) =>
          !event.currentTarget.paused && onSeek(event.currentTarget.currentTime)
        }
        className="size-full object-contain"
      />
    </Frame>
  );
}

/** The cards in their time: pictures and words, without a model. */
function Animatic({
  cards,
  at_s,
  onSeek,
  size,
  onRender,
}: ScreenProps & { onRender?: (() => void) | undefined }) {
  const t = useWords();
  const [playing, play] = useState(false);
  const end_s = total(cards);
  const card = cards[cardAt(cards, at_s)];
  const now = useRef({ at_s, onSeek, end_s });
  now.current = { at_s, onSeek, end_s };

  useEffect(() => {
    if (!playing) return;
    let before = performance.now();
    let asked = requestAnimationFrame(function tick(time) {
      const next = now.current.at_s + (time - before) / 1000;
      before = time;
      if (next >= now.current.end_s) {
        now.current.onSeek(0);
        play(false);
        return;
      }
      now.current.onSeek(next);
      asked = requestAnimationFrame(tick);
    });
    return () => cancelAnimationFrame(asked);
  }, [playing]);

  return (
    <section
      aria-label={t("board.screen")}
      className="grid min-h-56 content-start justify-items-center gap-2"
    >
      <Frame width={size[0] ?? 1} height={size[1] ?? 1} share={SHARE}>
        {card && <CardPicture card={card} />}
        <p className="script absolute inset-0 grid place-items-center p-6 text-center text-lead text-white [text-shadow:0_1px_12px_rgb(0_0_0/0.9)]">
          {card?.prompt || t("board.empty")}
        </p>
      </Frame>
      <div className="flex items-center gap-2">
        <IconButton
          icon={playing ? "pause" : "play"}
          label={t(playing ? "player.pause" : "board.play")}
          onClick={() => play(!playing)}
        />
        <span className="timecode text-soft">
          {timecode(at_s)} / {timecode(end_s)} · {t("board.shot", { n: cardAt(cards, at_s) + 1 })} ·{" "}
          {timecode(at_s - startOf(cards, cardAt(cards, at_s)))}
        </span>
        {onRender && (
          <button
            type="button"
            className="flex items-center gap-1 rounded-full px-3 py-1 text-small text-soft hover:bg-lift hover:text-ink"
            onClick={onRender}
          >
            <Icon name="play" /> {t("board.film")}
          </button>
        )}
      </div>
    </section>
  );
}
