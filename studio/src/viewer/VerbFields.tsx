import { useEffect } from "react";
import type { ModelFacts } from "../api/types";
import { RATIOS } from "../composer/wish";
import { Range, Segments } from "../parts/Choice";
import { timecode, useNumbers, useWords } from "../words/words";
import { SecondPick } from "./SecondPick";
import type { Draft, EditVerb, Subject } from "./verbs";

type FieldsProps = {
  verb: EditVerb;
  subject: Subject;
  draft: Draft;
  change: (part: Partial<Draft>) => void;
  model: ModelFacts;
};

/** What a verb can be told beside words. */
export function VerbFields(props: FieldsProps) {
  const t = useWords();
  const { verb, subject, draft, change, model } = props;
  const { span } = useNumbers();
  const seconds = (most: number) => (
    <Range
      label={t("field.seconds")}
      shown={span(draft.seconds)}
      value={draft.seconds}
      min={0.5}
      max={most}
      step={0.5}
      onChange={(value) => change({ seconds: value })}
    />
  );
  switch (verb) {
    case "edit":
      return <Strength draft={draft} change={change} />;
    case "extend":
      return (
        <>
          <Segments
            label={t("field.direction")}
            value={draft.direction}
            options={[
              { value: "backward", label: t("field.backward") },
              { value: "forward", label: t("field.forward") },
            ]}
            onChange={(direction) => change({ direction })}
          />
          {seconds(Math.min(12, model.seconds.max))}
        </>
      );
    case "loop":
      return seconds(4);
    case "connect":
      return (
        <>
          <SecondPick
            chosen={draft.second}
            onChoose={(second) => change({ second })}
            except={subject.source.video_id ?? null}
          />
          {seconds(4)}
        </>
      );
    case "erase":
    case "replace":
      return (
        <p className="text-small text-soft">
          {t(draft.strokes.length === 0 ? "brush.begin" : "brush.ready")}
        </p>
      );
    case "expand":
      return <Expansion {...props} />;
    case "upscale":
      return <Enlargement {...props} />;
    case "recut":
      return <Cutting {...props} />;
    case "interpolate":
      return (
        <Segments
          label={t("field.fps")}
          value={draft.times}
          options={[2, 3, 4].map((times) => ({
            value: times,
            label: t("field.times", { fps: subject.fps * times }),
          }))}
          onChange={(times) => change({ times })}
        />
      );
  }
}

function Strength({ draft, change }: Pick<FieldsProps, "draft" | "change">) {
  const t = useWords();
  const named = draft.strength < 0.35 ? "subtle" : draft.strength < 0.65 ? "mild" : "strong";
  return (
    <Range
      label={t("field.strength")}
      shown={`${t(`strength.${named}`)} · ${draft.strength.toFixed(2)}`}
      value={draft.strength}
      min={0.05}
      max={0.95}
      step={0.05}
      onChange={(strength) => change({ strength })}
    />
  );
}

/** Sizes that hold the whole picture and more, and that the model can make. */
function Expansion({ subject, draft, change, model }: FieldsProps) {
  const t = useWords();
  const { multiple, max } = model.size;
  const up = (length: number, step: number) => Math.ceil(length / step) * step;
  const sizes = RATIOS.flatMap((ratio) => {
    const [across = 1, down = 1] = ratio.split(":").map(Number);
    const height = Math.max(subject.height, (subject.width * down) / across);
    const size = [up((height * across) / down, multiple[0]), up(height, multiple[1])] as const;
    const grows = size[0] > subject.width || size[1] > subject.height;
    return grows && Math.max(...size) <= max ? [{ ratio, size: size.join("x") }] : [];
  });
  const [first] = sizes;
  useEffect(() => {
    if (first && !sizes.some((one) => one.size === draft.size)) change({ size: first.size });
  });
  if (!first) return <p className="text-small text-warn">{t("field.nolarger", { max })}</p>;
  return (
    <Segments
      label={t("knob.ratio")}
      value={draft.size}
      options={sizes.map((one) => ({
        value: one.size,
        label: `${one.ratio} · ${one.size.replace("x", "×")}`,
      }))}
      onChange={(size) => change({ size })}
    />
  );
}

function Enlargement({ subject, draft, change, model }: FieldsProps) {
  const t = useWords();
  const { multiple, max } = model.size;
  const sizes = [1.5, 2, 3, 4].flatMap((times) => {
    const side = (length: number, step: number) => Math.round((length * times) / step) * step;
    const size = [side(subject.width, multiple[0]), side(subject.height, multiple[1])];
    return Math.max(...size) <= max ? [size.join("x")] : [];
  });
  const [first] = sizes;
  useEffect(() => {
    if (first && !sizes.includes(draft.size)) change({ size: first });
  });
  if (!first) return <p className="text-small text-warn">{t("field.nolarger", { max })}</p>;
  return (
    <Segments
      label={t("knob.size")}
      value={draft.size}
      options={sizes.map((size) => ({ value: size, label: size.replace("x", "×") }))}
      onChange={(size) => change({ size })}
    />
  );
}

function Cutting({ subject, draft, change }: FieldsProps) {
  const t = useWords();
  const { span } = useNumbers();
  const frame = 1 / subject.fps;
  const frames = Math.round(subject.seconds * subject.fps);
  return (
    <div className="grid gap-3">
      <Range
        label={t("field.from")}
        shown={timecode(draft.from_s)}
        value={Math.round(draft.from_s * subject.fps)}
        min={0}
        max={frames - 1}
        step={1}
        onChange={(at) =>
          change({ from_s: at * frame, to_s: Math.max(draft.to_s, (at + 1) * frame) })
        }
      />
      <Range
        label={t("field.to")}
        shown={timecode(draft.to_s)}
        value={Math.round(draft.to_s * subject.fps)}
        min={1}
        max={frames}
        step={1}
        onChange={(at) =>
          change({ to_s: at * frame, from_s: Math.min(draft.from_s, (at - 1) * frame) })
        }
      />
      <Range
        label={t("field.before")}
        shown={span(draft.before)}
        value={draft.before}
        min={0}
        max={4}
        step={0.5}
        onChange={(before) => change({ before })}
      />
      <Range
        label={t("field.after")}
        shown={span(draft.after)}
        value={draft.after}
        min={0}
        max={4}
        step={0.5}
        onChange={(after) => change({ after })}
      />
    </div>
  );
}
