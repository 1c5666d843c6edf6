export type Verb =
  | "create"
  | "image"
  | "edit"
  | "extend"
  | "loop"
  | "connect"
  | "erase"
  | "replace"
  | "expand"
  | "upscale"
  | "recut"
  | "interpolate"
  | "storyboard"
  | "play";
export type Status = "queued" | "in_progress" | "completed" | "failed";
export type Making = {
  model: string;
  made_size: string;
  fps: number;
  num_frames: number;
  seed: number;
  stage: string | null;
  notes: string[];
  verb: Verb;
  parents: { video_id: string; role: string }[];
  batch_id: string | null;
  take: number;
  favourite: boolean;
  picked: boolean;
  folder_id: string | null;
  kept: boolean;
  queue_position: number | null;
  seconds_left: number | null;
  previews: number;
  negative_prompt: string;
  num_inference_steps: number | null;
  guidance_scale: number | null;
  strength: number | null;
};
export type Video = {
  id: string;
  object?: "video";
  model: string;
  status: Status;
  progress: number;
  created_at: number;
  completed_at: number | null;
  expires_at: number | null;
  size: string;
  seconds: string;
  prompt: string | null;
  remixed_from_video_id: string | null;
  error: { code: string; message: string } | null;
  worldreel: Making;
};
export type VideoList = {
  data: Video[];
  first_id: string | null;
  last_id: string | null;
  has_more: boolean;
  total: number;
};
export type Marks = { favourite?: boolean; picked?: boolean; folder_id?: string | null };
export type Source = {
  video_id?: string | null;
  file_id?: string | null;
  from_s?: number | null;
  to_s?: number | null;
};
export type Stroke = {
  points: [number, number][];
  radius: number;
  from_s?: number;
  to_s?: number;
  erase?: boolean;
  moves?: { at_s: number; dx: number; dy: number }[];
};
export type Mask = { file_id?: string; strokes?: Stroke[] };
export type Common = {
  takes?: number;
  model?: string;
  seed?: number;
  negative_prompt?: string;
  num_inference_steps?: number;
  guidance_scale?: number;
  folder_id?: string;
};
export type CanvasBody = Common &
  (
    | {
        verb: "create";
        prompt: string;
        seconds?: number;
        size?: string;
        image?: Source;
        last_image?: Source;
        loop?: boolean;
      }
    | { verb: "image"; prompt: string; size?: string }
    | { verb: "edit"; source: Source; prompt: string; strength?: number }
    | {
        verb: "extend";
        source: Source;
        seconds: number;
        direction?: "forward" | "backward";
        prompt?: string;
      }
    | { verb: "loop"; source: Source; seconds?: number; prompt?: string }
    | { verb: "connect"; source: Source; second: Source; seconds?: number; prompt?: string }
    | { verb: "erase"; source: Source; mask: Mask; prompt?: string }
    | { verb: "replace"; source: Source; mask: Mask; prompt: string }
    | { verb: "expand"; source: Source; size: string; box?: number[]; prompt?: string }
    | { verb: "upscale"; source: Source; size: string; strength?: number; prompt?: string }
    | {
        verb: "recut";
        source: Source;
        from_s?: number;
        to_s?: number;
        before?: number;
        after?: number;
        prompt?: string;
      }
    | { verb: "interpolate"; source: Source; fps: number; prompt?: string }
    | { verb: "storyboard"; board: Board; prompt?: string }
  );
export type Estimate = {
  takes: number;
  work_seconds: number;
  wait_seconds: number;
  done_seconds: number;
  queue_position: number;
  memory_bytes: number;
  memory_free_bytes: number;
  fits: boolean;
  size: string;
  seconds: number;
  num_frames: number;
  worldreel: Making;
};
export type Shot = {
  prompt: string;
  seconds: number;
  transition?: "cut" | "blend";
  image?: string;
  last_image?: string;
  clip?: string;
  clip_from_s?: number;
  clip_to_s?: number;
  reference?: string;
};
export type Board = {
  size?: [number, number];
  fps?: number;
  loop?: boolean;
  fit?: "cover" | "contain" | "stretch";
  shot?: Shot[];
};
export type Storyboard = {
  id: string;
  name: string;
  board: Board;
  created_at: number;
  updated_at: number;
};
export type List<T> = { data: T[] };
export type Folder = { id: string; name: string; created_at: number; num_videos: number };
export type LineageNode = {
  id: string;
  verb: Verb;
  prompt: string | null;
  status: Status | "deleted";
  created_at: number;
  take: number;
  batch_id: string | null;
  picked: boolean;
};
export type Lineage = {
  id: string;
  nodes: LineageNode[];
  edges: { parent: string; child: string; role: string }[];
};
export type VideoSettings = {
  body: CanvasBody;
  model_version: string | null;
  worldreel: string | null;
};
export type FileSettings = {
  kind: "video" | "picture";
  width: number;
  height: number;
  fps: number | null;
  num_frames: number;
  seconds: number;
  settings: Record<string, unknown> | null;
  body: CanvasBody | null;
};
export type UploadedFile = { id: string; filename: string; bytes: number };
export type Session = { owner: string; admin: boolean; csrf_token: string; expires_at: number };
export type ModelFacts = {
  model: string;
  version: string;
  license: string;
  summary: string;
  takes: string[];
  fps: number;
  size: {
    default: [number, number];
    min: number;
    max: number;
    multiple: number;
    trained: [number, number][];
  };
  seconds: { default: number; max: number };
  sampling: { num_inference_steps: number; guidance_scale: number };
  official_sizes: boolean;
  installed: boolean;
  downloadable: boolean;
  memory_bytes: number;
  disk_bytes: number;
  fits: boolean;
  plays: boolean;
  actions: string[];
  is_default: boolean;
};
export type Model = { id: string; worldreel: ModelFacts };
export type Pull = {
  status: "none" | "running" | "done" | "failed";
  done_bytes: number;
  total_bytes: number;
  error: string | null;
};
export type Server = {
  version: string;
  owner: string;
  admin: boolean;
  ready: boolean;
  reasons: string[];
  workers: number;
  queue: { waiting: number; work_seconds: number; max: number };
  disk: {
    free_bytes: number;
    total_bytes: number;
    videos_bytes: number;
    uploads_bytes: number;
    quota_bytes: number | null;
  };
  memory: { free_bytes: number; total_bytes: number };
  limits: {
    upload_max_bytes: number;
    keep_hours: number;
    takes_max: number;
    plays_max: number;
    queue_max: number;
  };
  default_model: string;
};
export type ApiKey = {
  id: string;
  owner: string;
  hint: string;
  admin: boolean;
  created_at: number;
  revoked_at: number | null;
};
export type KeyWithSecret = ApiKey & { secret: string };
export type Play = {
  id: string;
  model: string;
  size: string;
  fps: number;
  seed: number;
  prompt: string;
  scenes: string[];
  camera: Record<"left" | "right" | "up" | "down" | "space", string>;
  actions: string[];
  notes: string[];
};
