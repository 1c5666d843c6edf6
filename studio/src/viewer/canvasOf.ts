import type { Stretch } from "../parts/Strip";
import type { Draft, EditVerb, Subject } from "./verbs";

/** The canvas that a verb lays out: what of it is given, and what the model adds. */
export function canvasOf(verb: EditVerb, subject: Subject, draft: Draft): Stretch[] {
  const clip: Stretch = { kind: "given", seconds: subject.seconds };
  const free = (seconds: number): Stretch => ({ kind: "free", seconds });
  switch (verb) {
    case "edit":
    case "upscale":
      return [{ kind: "loose", seconds: subject.seconds }];
    case "extend":
      return draft.direction === "forward"
        ? [clip, free(draft.seconds)]
        : [free(draft.seconds), clip];
    case "loop":
      return [clip, free(draft.seconds)];
    case "connect":
      return [clip, free(draft.seconds), { ...clip, seconds: subject.seconds }];
    case "recut":
      return [
        free(draft.before),
        { kind: "given", seconds: draft.to_s - draft.from_s },
        free(draft.after),
      ];
    case "interpolate":
      return Array.from({ length: 9 }, (_, at) =>
        at % 2 === 0 ? { kind: "given" as const, seconds: 0.2 } : free(0.8),
      );
    default:
      return [{ kind: "part", seconds: subject.seconds }];
  }
}
