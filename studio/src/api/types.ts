/** The server's shapes under the names that the page uses; made of its own contract, openapi.json. */

import type * as Wire from "./generated";

/** An answer: the server always writes every field, also those that have defaults. */
type Answer<T> = Required<T>;

export type Making = Answer<Wire.Making>;
export type Verb = Making["verb"];
export type Video = Omit<Answer<Wire.VideoObject>, "worldreel"> & { worldreel: Making };
export type Status = Video["status"];
export type VideoList = Omit<Answer<Wire.VideoList>, "data"> & { data: Video[] };
export type Marks = Omit<Wire.MarkVideo, "video_ids">;

export type Source = Wire.Source;
export type CanvasBody = Wire.CreateCanvas;
export type Estimate = Answer<Wire.EstimateObject>;

/** The server takes any canvas file here; these are the parts of one that the storyboard shows. */
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
export type Storyboard = Omit<Answer<Wire.StoryboardObject>, "board"> & { board: Board };

export type List<T> = { data: T[] };
export type Folder = Answer<Wire.FolderObject>;
export type Lineage = Answer<Wire.Lineage>;
export type LineageNode = Wire.LineageNode;
/** Made to be sent again as it is. */
export type VideoSettings = Omit<Wire.SettingsObject, "body"> & { body: CanvasBody };
export type FileSettings = Omit<Answer<Wire.FileSettings>, "body"> & { body: CanvasBody | null };
export type UploadedFile = Wire.FileObject;
export type Session = Answer<Wire.SessionObject>;
/** Width and height, in pixels or as what they are multiples of. */
export type Pair = [number, number];
export type Sizes = Omit<Wire.SizeFacts, "default" | "multiple"> & {
  default: Pair;
  multiple: Pair;
};
export type ModelFacts = Omit<Answer<Wire.ModelFacts>, "size"> & { size: Sizes };
export type Model = Omit<Wire.ModelObject, "worldreel"> & { worldreel: ModelFacts };
export type Server = Answer<Wire.ServerObject>;
export type ApiKey = Answer<Wire.KeyObject>;
export type KeyWithSecret = Answer<Wire.KeyWithSecret>;
export type Pull = Answer<Wire.PullObject>;
export type Play = Answer<Wire.PlayObject>;
