import type { Brought } from "../api/files";
import { thumbnailOfFile } from "../api/files";
import type { CanvasBody, Source, Verb, Video } from "../api/types";
import { fileOf } from "../api/videos";
import type { IconName } from "../parts/Icon";

export type EditVerb = Exclude<Verb, "create" | "image" | "storyboard" | "play">;

export const VERBS: readonly { name: EditVerb; icon: IconName }[] = [
  { name: "edit", icon: "remix" },
  { name: "recut", icon: "recut" },
  { name: "connect", icon: "blend" },
  { name: "loop", icon: "loop" },
  { name: "extend", icon: "extend" },
  { name: "replace", icon: "replace" },
  { name: "erase", icon: "erase" },
  { name: "expand", icon: "expand" },
  { name: "upscale", icon: "upscale" },
  { name: "interpolate", icon: "smooth" },
];

/** What a verb is done to: a video that was made here, or a clip that was brought along. */
export type Subject = {
  source: Source;
  name: string;
  prompt: string | null;
  width: number;
  height: number;
  seconds: number;
  fps: number;
  model: string | null;
  file: string;
  thumbnail: string;
};

export function subjectOfVideo(video: Video): Subject {
  const [width = 1, height = 1] = video.size.split("x").map(Number);
  return {
    source: { video_id: video.id },
    name: video.prompt ?? video.id,
    prompt: video.prompt,
    width,
    height,
    seconds: Number(video.seconds),
    fps: video.worldreel.fps,
    model: video.worldreel.model,
    file: fileOf(video.id, "video"),
    thumbnail: fileOf(video.id, "small"),
  };
}

export function subjectOfFile(brought: Brought): Subject {
  const { settings } = brought;
  const said = settings.settings?.prompt;
  return {
    source: { file_id: brought.file_id },
    name: brought.name,
    prompt: typeof said === "string" ? said : null,
    width: settings.width,
    height: settings.height,
    seconds: settings.seconds,
    fps: settings.fps ?? 24,
    model: null,
    file: `/v1/files/${encodeURIComponent(brought.file_id)}/content`,
    thumbnail: thumbnailOfFile(brought.file_id),
  };
}

/** The fields of the form of a verb; not every verb has all. */
export type Draft = {
  prompt: string;
  strength: number;
  seconds: number;
  direction: "forward" | "backward";
  second: Source | null;
  strokes: Stroke[];
  size: string;
  from_s: number;
  to_s: number;
  before: number;
  after: number;
  times: number;
  takes: number;
};
export type Stroke = {
  points: [number, number][];
  radius: number;
  erase: boolean;
  from_s: number | null;
  to_s: number | null;
  moves: { at_s: number; dx: number; dy: number }[];
};

export function newDraft(subject: Subject): Draft {
  return {
    prompt: subject.prompt ?? "",
    strength: 0.5,
    seconds: 2,
    direction: "forward",
    second: null,
    strokes: [],
    size: "",
    from_s: 0,
    to_s: subject.seconds,
    before: 0,
    after: 1,
    times: 2,
    takes: 1,
  };
}

/** The request of a form; null while something that it needs is not there. */
export function bodyOfVerb(verb: EditVerb, subject: Subject, draft: Draft): CanvasBody | null {
  const { source } = subject;
  const prompt = draft.prompt.trim();
  const common = { takes: draft.takes };
  const words = prompt ? { prompt } : {};
  if (!prompt && (!subject.prompt || verb === "edit" || verb === "replace")) return null;
  switch (verb) {
    case "edit":
      return { verb, source, prompt, strength: draft.strength, ...common };
    case "extend":
      return {
        verb,
        source,
        seconds: draft.seconds,
        direction: draft.direction,
        ...words,
        ...common,
      };
    case "loop":
      return { verb, source, seconds: draft.seconds, ...words, ...common };
    case "connect":
      return (
        draft.second && {
          verb,
          source,
          second: draft.second,
          seconds: draft.seconds,
          ...words,
          ...common,
        }
      );
    case "erase":
      return draft.strokes.length > 0
        ? { verb, source, mask: maskOf(draft.strokes), ...words, ...common }
        : null;
    case "replace":
      return draft.strokes.length > 0
        ? { verb, source, mask: maskOf(draft.strokes), prompt, ...common }
        : null;
    case "expand":
      return draft.size ? { verb, source, size: draft.size, ...words, ...common } : null;
    case "upscale":
      return draft.size ? { verb, source, size: draft.size, ...words, ...common } : null;
    case "recut":
      return {
        verb,
        source,
        from_s: draft.from_s,
        to_s: draft.to_s,
        before: draft.before,
        after: draft.after,
        ...words,
        ...common,
      };
    case "interpolate":
      return { verb, source, fps: subject.fps * draft.times, ...words, ...common };
  }
}

function maskOf(strokes: Stroke[]) {
  return {
    strokes: strokes.map(({ points, radius, erase, from_s, to_s, moves }) => ({
      points,
      radius,
      ...(erase && { erase }),
      ...(from_s !== null && { from_s }),
      ...(to_s !== null && { to_s }),
      ...(moves.length > 0 && { moves }),
    })),
  };
}
