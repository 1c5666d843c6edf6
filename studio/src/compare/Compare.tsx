import { useEffect, useRef, useState } from "react";
import type { Video } from "../api/types";
import { fileOf, useVideo, useVideoActs } from "../api/videos";
import { useExplain } from "../app/explain";
import { useTell } from "../app/Notices";
import { go, href } from "../app/route";
import { isTyping } from "../app/shortcuts";
import { useStored } from "../app/stored";
import { Button, IconButton } from "../parts/Button";
import { Segments } from "../parts/Choice";
import { Notice } from "../parts/Notice";
import { Transport } from "../viewer/Transport";
import { playerKey, usePlayer } from "../viewer/usePlayer";
import { useWords } from "../words/words";

/** Two videos in step: one over the other with a wipe, or side by side. */
export default function Compare({ left, right }: { left: string; right: string }) {
  const t = useWords();
  const explain = useExplain();
  const first = useVideo(left);
  const second = useVideo(right);
  if (first.isError || second.isError)
    return (
      <Notice
        icon="alert"
        title={t("viewer.missing")}
        action={<Button onClick={() => go({ view: "reel" })}>{t("nav.reel")}</Button>}
      >
        {explain(first.error ?? second.error)}
      </Notice>
    );
  if (!first.data || !second.data) return null;
  return <Pair left={first.data} right={second.data} />;
}

function Pair({ left, right }: { left: Video; right: Video }) {
  const t = useWords();
  const lead = useRef<HTMLVideoElement>(null);
  const follower = useRef<HTMLVideoElement>(null);
  const [wipe, setWipe] = useState(50);
  const [how, setHow] = useStored<"wipe" | "beside">("compare", "wipe");
  const fps = left.worldreel.fps;
  const controls = usePlayer(lead, fps, left.worldreel.num_frames);
  const [width = 1, height = 1] = left.size.split("x").map(Number);
  useStep(lead, follower, fps);

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "Escape") history.back();
      if (
        event.key === " " &&
        event.target instanceof HTMLElement &&
        /^(BUTTON|A)$/.test(event.target.tagName)
      )
        return;
      if (playerKey(controls, event.key)) event.preventDefault();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [controls]);

  const film = "size-full object-contain";
  const wiping = how === "wipe";
  return (
    <div className="grid h-full content-start gap-3 overflow-y-auto p-3 sm:p-5">
      <header className="flex flex-wrap items-center gap-2">
        <IconButton icon="left" label={t("back")} keys="Esc" onClick={() => history.back()} />
        <h1 className="script text-lead">{t("compare.title")}</h1>
        <Segments
          label={t("compare.how")}
          value={how}
          options={[
            { value: "wipe", label: t("compare.wipe") },
            { value: "beside", label: t("compare.beside") },
          ]}
          onChange={setHow}
          className="ml-auto"
        />
      </header>
      <div
        className={
          wiping
            ? "relative mx-auto w-full overflow-hidden rounded-2xl bg-black"
            : "grid gap-2 sm:grid-cols-2"
        }
        style={
          wiping
            ? { aspectRatio: `${width} / ${height}`, maxWidth: `calc(60dvh * ${width / height})` }
            : undefined
        }
      >
        <video
          ref={lead}
          src={fileOf(left.id, "video")}
          muted
          playsInline
          autoPlay
          aria-label={t("compare.left", { take: left.worldreel.take })}
          className={wiping ? film : `${film} max-h-[60dvh] rounded-2xl bg-black`}
        />
        <video
          ref={follower}
          src={fileOf(right.id, "video")}
          muted
          playsInline
          aria-label={t("compare.right", { take: right.worldreel.take })}
          className={
            wiping ? `${film} absolute inset-0` : `${film} max-h-[60dvh] rounded-2xl bg-black`
          }
          style={wiping ? { clipPath: `inset(0 0 0 ${wipe}%)` } : undefined}
        />
        {wiping && (
          <>
            <span
              aria-hidden="true"
              className="pointer-events-none absolute inset-y-0 w-0.5 -translate-x-1/2 bg-white shadow-lift"
              style={{ left: `${wipe}%` }}
            />
            <input
              type="range"
              aria-label={t("compare.position")}
              min={0}
              max={100}
              value={wipe}
              onChange={(event) => setWipe(event.target.valueAsNumber)}
              className="absolute inset-0 size-full cursor-ew-resize opacity-0 focus-visible:opacity-30"
            />
          </>
        )}
      </div>
      <div className="mx-auto w-full max-w-4xl">
        <Transport controls={controls} fps={fps} />
      </div>
      <div className="grid gap-3 sm:grid-cols-2">
        <Side video={left} other={right} name={t("compare.a")} />
        <Side video={right} other={left} name={t("compare.b")} />
      </div>
    </div>
  );
}

/** Keeps the second video where the first is, to within half a frame. */
function useStep(
  lead: React.RefObject<HTMLVideoElement | null>,
  follower: React.RefObject<HTMLVideoElement | null>,
  fps: number,
): void {
  useEffect(() => {
    let asked = 0;
    const keep = () => {
      asked = requestAnimationFrame(keep);
      const [first, second] = [lead.current, follower.current];
      if (!first || !second || second.readyState < HTMLMediaElement.HAVE_METADATA) return;
      if (second.playbackRate !== first.playbackRate) second.playbackRate = first.playbackRate;
      const at = Math.min(first.currentTime, Math.max(0, second.duration - 0.5 / fps));
      if (!second.seeking && Math.abs(second.currentTime - at) > 0.5 / fps) second.currentTime = at;
      if (first.paused !== second.paused) {
        if (first.paused) second.pause();
        else if (at >= first.currentTime - 1e-3) second.play().catch(() => undefined);
      }
    };
    asked = requestAnimationFrame(keep);
    return () => cancelAnimationFrame(asked);
  }, [lead, follower, fps]);
}

function Side({ video, other, name }: { video: Video; other: Video; name: string }) {
  const t = useWords();
  const tell = useTell();
  const acts = useVideoActs();
  const pick = async () => {
    try {
      if (other.worldreel.picked && other.worldreel.batch_id === video.worldreel.batch_id)
        await acts.mark([other.id], { picked: false });
      await acts.mark([video.id], { picked: !video.worldreel.picked });
    } catch (error) {
      tell.problem(error);
    }
  };
  return (
    <section className="flex items-center gap-3 rounded-2xl border border-line bg-wall p-3">
      <span className="script text-title text-lamp-ink">{name}</span>
      <a href={href({ view: "video", id: video.id })} className="min-w-0 flex-1 rounded">
        <span className="script line-clamp-2">{video.prompt ?? t("untitled")}</span>
        <span className="timecode text-faint">
          {t("knob.seed")} {video.worldreel.seed}
        </span>
      </a>
      <Button
        look={video.worldreel.picked ? "lamp" : "plain"}
        icon="check"
        aria-pressed={video.worldreel.picked}
        onClick={pick}
      >
        {t(video.worldreel.picked ? "picked" : "pick")}
      </Button>
    </section>
  );
}
