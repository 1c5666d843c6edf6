import { type RefObject, useCallback, useEffect, useRef, useState } from "react";
import { useStored } from "../app/stored";

export const SPEEDS = [0.25, 0.5, 1, 1.5, 2] as const;

export type Controls = {
  frame: number;
  last: number;
  playing: boolean;
  loop: boolean;
  speed: number;
  toggle: () => void;
  show: (frame: number) => void;
  step: (by: number) => void;
  setLoop: (loop: boolean) => void;
  setSpeed: (speed: number) => void;
};

/** A video by its frames: which one is shown, and the way to any other. */
export function usePlayer(
  video: RefObject<HTMLVideoElement | null>,
  fps: number,
  count: number,
): Controls {
  const [frame, setFrame] = useState(0);
  // what was asked for last: keys may come faster than the page is drawn
  const now = useRef(0);
  const [playing, setPlaying] = useState(false);
  const [loop, setLoop] = useStored("loop", true);
  const [speed, setSpeed] = useStored("speed", 1);
  const last = Math.max(0, count - 1);

  useEffect(() => {
    const element = video.current;
    if (!element) return;
    let asked = 0;
    const look = () => {
      asked = element.requestVideoFrameCallback((_, shown) => {
        look();
        // a frame from before a jump says nothing of where one is
        if (element.seeking) return;
        now.current = Math.min(last, Math.floor(shown.mediaTime * fps + 0.01));
        setFrame(now.current);
      });
    };
    const onPlay = () => setPlaying(true);
    const onPause = () => setPlaying(false);
    look();
    element.addEventListener("play", onPlay);
    element.addEventListener("pause", onPause);
    setPlaying(!element.paused);
    return () => {
      element.cancelVideoFrameCallback(asked);
      element.removeEventListener("play", onPlay);
      element.removeEventListener("pause", onPause);
    };
  }, [video, fps, last]);

  useEffect(() => {
    if (video.current) video.current.loop = loop;
  }, [video, loop]);
  useEffect(() => {
    if (video.current) video.current.playbackRate = speed;
  }, [video, speed]);

  const show = useCallback(
    (wanted: number) => {
      const element = video.current;
      if (!element) return;
      const at = Math.min(last, Math.max(0, wanted));
      element.pause();
      // the middle of a frame: its edge may belong to the one before
      element.currentTime = (at + 0.5) / fps;
      now.current = at;
      setFrame(at);
    },
    [video, fps, last],
  );
  const toggle = useCallback(() => {
    const element = video.current;
    if (element?.paused) element.play().catch(() => setPlaying(false));
    else element?.pause();
  }, [video]);
  const step = useCallback((by: number) => show(now.current + by), [show]);
  return { frame, last, playing, loop, speed, toggle, show, step, setLoop, setSpeed };
}

/** Acts on a key of the player; true if it was one. */
export function playerKey(controls: Controls, key: string): boolean {
  const speeds: readonly number[] = SPEEDS;
  const at = speeds.indexOf(controls.speed);
  switch (key) {
    case " ":
    case "k":
      controls.toggle();
      return true;
    case ",":
    case "ArrowLeft":
      controls.step(-1);
      return true;
    case ".":
    case "ArrowRight":
      controls.step(1);
      return true;
    case "Home":
      controls.show(0);
      return true;
    case "End":
      controls.show(controls.last);
      return true;
    case "l":
      controls.setLoop(!controls.loop);
      return true;
    case "+":
      controls.setSpeed(speeds[Math.min(speeds.length - 1, at + 1)] ?? 1);
      return true;
    case "-":
      controls.setSpeed(speeds[Math.max(0, at - 1)] ?? 1);
      return true;
    default:
      return false;
  }
}
