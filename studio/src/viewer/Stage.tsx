import { useEffect, useRef, useState } from "react";
import type { Video } from "../api/types";
import { fileOf } from "../api/videos";
import { isTyping } from "../app/shortcuts";
import { Frame, sidesOf } from "../parts/Frame";
import { useWords } from "../words/words";
import { Brush } from "./Brush";
import { BrushBar, FIRST_BRUSH } from "./BrushBar";
import { Transport } from "./Transport";
import { playerKey, usePlayer } from "./usePlayer";
import type { Draft, EditVerb } from "./verbs";

type StageProps = {
  video: Video;
  verb: EditVerb | null;
  draft: Draft;
  change: (part: Partial<Draft>) => void;
};

/** The picture and its player; with a brush on it where a verb asks for one. */
export function Stage({ video, verb, draft, change }: StageProps) {
  const t = useWords();
  const [width, height] = sidesOf(video.size);
  if (video.worldreel.verb === "image")
    return (
      <Frame width={width} height={height}>
        <img
          src={fileOf(video.id, "image")}
          alt={video.prompt ?? t("untitled")}
          className="size-full object-contain"
        />
      </Frame>
    );
  return (
    <Playing
      file={fileOf(video.id, "video")}
      poster={fileOf(video.id, "thumbnail")}
      name={video.prompt ?? t("untitled")}
      width={width}
      height={height}
      fps={video.worldreel.fps}
      count={video.worldreel.num_frames}
      verb={verb}
      draft={draft}
      change={change}
    />
  );
}

type PlayingProps = {
  file: string;
  poster: string;
  name: string;
  width: number;
  height: number;
  fps: number;
  count: number;
  verb: EditVerb | null;
  draft: Draft;
  change: (part: Partial<Draft>) => void;
};

export function Playing({
  file,
  poster,
  name,
  width,
  height,
  fps,
  count,
  verb,
  draft,
  change,
}: PlayingProps) {
  const element = useRef<HTMLVideoElement>(null);
  const frame = useRef<HTMLDivElement>(null);
  const [brush, setBrush] = useState(FIRST_BRUSH);
  const controls = usePlayer(element, fps, count);
  const painting = verb === "erase" || verb === "replace";
  const { toggle } = controls;

  useEffect(() => {
    if (painting) element.current?.pause();
  }, [painting]);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.target instanceof Element && event.target.closest("[data-own-keys]")) return;
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

  return (
    <>
      <div ref={frame} className="grid min-h-0 place-items-center">
        <Frame width={width} height={height}>
          <video
            ref={element}
            src={file}
            poster={poster}
            aria-label={name}
            muted
            autoPlay
            playsInline
            className="size-full object-contain"
            onClick={painting ? undefined : toggle}
          />
          {painting && (
            <Brush
              brush={brush}
              onBrush={setBrush}
              strokes={draft.strokes}
              onChange={(strokes) => change({ strokes })}
              at_s={controls.frame / fps}
              seconds={count / fps}
              width={width}
              height={height}
            />
          )}
        </Frame>
      </div>
      {painting && (
        <BrushBar
          brush={brush}
          onBrush={setBrush}
          strokes={draft.strokes}
          onStrokes={(strokes) => change({ strokes })}
        />
      )}
      <div className="mx-auto w-full max-w-4xl">
        <Transport
          controls={controls}
          fps={fps}
          onFull={() => frame.current?.requestFullscreen()}
        />
      </div>
    </>
  );
}
