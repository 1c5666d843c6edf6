import { useQueryClient } from "@tanstack/react-query";
import { type RefObject, useCallback, useEffect, useRef, useState } from "react";
import { ask } from "../api/client";
import type { Play, Video } from "../api/types";
import { putVideo } from "../api/videos";

type FrameEvent = {
  number: number;
  webp: string;
  prompt: string;
  fps: number;
  speed: number | null;
  delay_ms: number | null;
};
/** While the world is still being loaded there is nothing to say of its speed. */
type StateEvent = {
  status: "loading" | "playing";
  prompt?: string;
  fps?: number;
  speed?: number | null;
};
export type Ending = "closed" | "replaced" | "idle" | "ended";
type Shown = {
  number: number;
  prompt: string;
  fps: number;
  speed: number | null;
  delay_ms: number | null;
};

export type Running = {
  play: Play;
  canvas: RefObject<HTMLCanvasElement | null>;
  shown: Shown;
  say: (what: { prompt: string } | { key: string }) => void;
  save: () => void;
  saved: string | null;
  problem: unknown;
};

/** One running world: it begins, it is spoken to, it ends with the page. */
export function usePlay() {
  const client = useQueryClient();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [play, setPlay] = useState<Play | null>(null);
  const [shown, setShown] = useState<Shown>({
    number: -1,
    prompt: "",
    fps: 0,
    speed: null,
    delay_ms: null,
  });
  const [beginning, setBeginning] = useState(false);
  const [ended, setEnded] = useState<Ending | null>(null);
  const [problem, setProblem] = useState<unknown>(null);
  const [saved, setSaved] = useState<string | null>(null);
  const id = play?.id ?? null;

  useEffect(() => {
    if (!id) return;
    let drawn = -1;
    let over = false;
    const stream = new EventSource(`/v1/plays/${encodeURIComponent(id)}/frames`);
    const on = (name: string, act: (data: never) => void) =>
      stream.addEventListener(name, (event) =>
        act(JSON.parse((event as MessageEvent<string>).data) as never),
      );
    const stop = (why: Ending | null, error: unknown) => {
      over = true;
      stream.close();
      setPlay(null);
      setEnded(why);
      setProblem(error);
    };
    on("frame", (frame: FrameEvent) => {
      const picture = new Image();
      picture.onload = () => {
        const context = canvas.current?.getContext("2d");
        if (!context || frame.number < drawn) return;
        drawn = frame.number;
        context.drawImage(picture, 0, 0, context.canvas.width, context.canvas.height);
        const { number, prompt, fps, speed, delay_ms } = frame;
        setShown({ number, prompt, fps, speed, delay_ms });
      };
      picture.src = `data:image/webp;base64,${frame.webp}`;
    });
    on("state", ({ prompt, fps, speed }: StateEvent) =>
      setShown((before) => ({
        ...before,
        prompt: prompt ?? before.prompt,
        fps: fps ?? before.fps,
        speed: speed ?? null,
      })),
    );
    on("failed", ({ error }: { error: string }) => stop(null, error));
    on("stopped", ({ reason }: { reason: Ending }) => stop(reason, null));
    stream.onerror = () => {
      if (stream.readyState === EventSource.CLOSED && !over) stop("ended", null);
    };
    return () => {
      stream.close();
      if (!over) ask("DELETE", `/v1/plays/${encodeURIComponent(id)}`).catch(() => undefined);
    };
  }, [id]);

  const begin = useCallback(async (prompt: string) => {
    setBeginning(true);
    setProblem(null);
    setEnded(null);
    setSaved(null);
    try {
      const made = await ask<Play>("POST", "/v1/plays", { body: { prompt } });
      setShown({ number: -1, prompt: made.prompt, fps: made.fps, speed: null, delay_ms: null });
      setPlay(made);
    } catch (error) {
      setProblem(error);
    } finally {
      setBeginning(false);
    }
  }, []);
  const say = useCallback(
    (what: { prompt: string } | { key: string }) => {
      setProblem(null);
      ask<{ prompt: string }>("POST", `/v1/plays/${id}/say`, { body: what }).catch(setProblem);
    },
    [id],
  );
  const save = useCallback(async () => {
    try {
      const video = await ask<Video>("POST", `/v1/plays/${id}/save`);
      putVideo(client, video);
      setSaved(video.id);
    } catch (error) {
      setProblem(error);
    }
  }, [id, client]);
  const end = useCallback(() => setPlay(null), []);
  const running: Running | null = play && { play, canvas, shown, say, save, saved, problem };
  return { running, beginning, ended, problem, begin, end };
}
