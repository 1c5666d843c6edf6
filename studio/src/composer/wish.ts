import { type Brought, thumbnailOfFile } from "../api/files";
import type { CanvasBody, ModelFacts, Sizes, Source, Video } from "../api/types";
import { fileOf } from "../api/videos";
import { readStored, useStored, writeStored } from "../app/stored";

/** A picture or clip that a wish begins from. */
export type Given = { source: Source; name: string; thumbnail: string; kind: "video" | "picture" };

/** What is in the composer; null leaves the choice to the model. */
export type Wish = {
  prompt: string;
  negative: string;
  ratio: string;
  detail: number;
  /** A size that was taken over as it was; choosing a ratio ends that. */
  size: string | null;
  seconds: number | null;
  takes: number;
  model: string | null;
  seed: number | null;
  steps: number | null;
  guidance: number | null;
  loop: boolean;
  still: boolean;
  first: Given | null;
  last: Given | null;
};

export const EMPTY: Wish = {
  prompt: "",
  negative: "",
  ratio: "1:1",
  detail: 1,
  size: null,
  seconds: null,
  takes: 1,
  model: null,
  seed: null,
  steps: null,
  guidance: null,
  loop: false,
  still: false,
  first: null,
  last: null,
};
export const RATIOS = ["16:9", "3:2", "1:1", "2:3", "9:16"] as const;
/** Longer sides, as multiples of what the model was trained on. */
export const DETAILS = [1, 1.5, 2] as const;

export function useWish(): [Wish, (change: Partial<Wish>) => void] {
  const [wish, set] = useStored<Wish>("wish", EMPTY);
  return [
    { ...EMPTY, ...wish },
    (change) => set({ ...EMPTY, ...readStored("wish", EMPTY), ...change }),
  ];
}

export function changeWish(change: Partial<Wish>): void {
  writeStored("wish", { ...EMPTY, ...readStored("wish", EMPTY), ...change });
}

/** The size of a ratio that the model can make: about its usual area, sides that it knows. */
export function sizeOf(ratio: string, detail: number, size: Sizes): [number, number] {
  const [across = 1, down = 1] = ratio.split(":").map(Number);
  const area = size.default[0] * size.default[1] * detail * detail;
  const height = Math.sqrt((area * down) / across);
  const width = (height * across) / down;
  const shrink = Math.min(1, size.max / Math.max(width, height));
  const side = (length: number, multiple: number) => {
    const least = Math.ceil(size.min / multiple) * multiple;
    const most = Math.floor(size.max / multiple) * multiple;
    return Math.min(most, Math.max(least, Math.round((length * shrink) / multiple) * multiple));
  };
  return [side(width, size.multiple[0]), side(height, size.multiple[1])];
}

/** The details of a ratio that differ in pixels. */
export function detailsOf(
  ratio: string,
  size: Sizes,
): { detail: number; size: [number, number] }[] {
  const found: { detail: number; size: [number, number] }[] = [];
  for (const detail of DETAILS) {
    const pixels = sizeOf(ratio, detail, size);
    if (!found.some((known) => known.size.join() === pixels.join()))
      found.push({ detail, size: pixels });
  }
  return found;
}

/** The request of a wish; null while there are no words yet. */
export function bodyOf(wish: Wish, model: ModelFacts | undefined): CanvasBody | null {
  const prompt = wish.prompt.trim();
  if (!prompt || !model) return null;
  const size = wish.size ?? sizeOf(wish.ratio, wish.detail, model.size).join("x");
  const how = {
    takes: wish.takes,
    ...(wish.model !== null && { model: wish.model }),
    ...(wish.seed !== null && { seed: wish.seed }),
    ...(wish.negative.trim() && { negative_prompt: wish.negative.trim() }),
    ...(wish.steps !== null && { num_inference_steps: wish.steps }),
    ...(wish.guidance !== null && { guidance_scale: wish.guidance }),
  };
  if (wish.still) return { verb: "image", prompt, size, ...how };
  return {
    verb: "create",
    prompt,
    size,
    ...(wish.seconds !== null && { seconds: wish.seconds }),
    ...(wish.first && { image: wish.first.source }),
    ...(wish.last && { last_image: wish.last.source }),
    ...(wish.loop && { loop: true }),
    ...how,
  };
}

/** A request back in the composer: "reuse settings". */
export function wishOf(body: CanvasBody): Partial<Wish> {
  const made = body.verb === "create" ? body : null;
  return {
    prompt: ("prompt" in body && body.prompt) || "",
    negative: body.negative_prompt ?? "",
    takes: 1,
    model: body.model ?? null,
    seed: body.seed ?? null,
    steps: body.num_inference_steps ?? null,
    guidance: body.guidance_scale ?? null,
    size: "size" in body ? (body.size ?? null) : null,
    seconds: made?.seconds ?? null,
    loop: made?.loop ?? false,
    still: body.verb === "image",
    first: made?.image ? givenAgain(made.image) : null,
    last: made?.last_image ? givenAgain(made.last_image) : null,
  };
}

function givenAgain(source: Source): Given {
  const thumbnail = source.video_id
    ? fileOf(source.video_id, "small")
    : thumbnailOfFile(source.file_id ?? "");
  return { source, name: source.video_id ?? source.file_id ?? "", thumbnail, kind: "picture" };
}

export function givenOf(brought: Brought): Given {
  const thumbnail = thumbnailOfFile(brought.file_id);
  return {
    source: { file_id: brought.file_id },
    name: brought.name,
    thumbnail,
    kind: brought.kind,
  };
}

/** A finished video as something to begin from. */
export function givenVideo(video: Video): Given {
  return {
    source: { video_id: video.id },
    name: video.prompt ?? video.id,
    thumbnail: fileOf(video.id, "small"),
    kind: "video",
  };
}
