import { useEffect, useState } from "react";
import { useModels } from "../api/server";
import type { ModelFacts } from "../api/types";
import { Button } from "../parts/Button";
import { Picker, Range, Segments } from "../parts/Choice";
import { Pocket } from "../parts/Pocket";
import { useCount, useNumbers, useWords } from "../words/words";
import { RatioMark } from "./RatioMark";
import { detailsOf, RATIOS, sizeOf, type Wish } from "./wish";

type KnobsProps = {
  wish: Wish;
  change: (change: Partial<Wish>) => void;
  model: ModelFacts | undefined;
};

const TAKES = [1, 2, 3, 4, 6, 8] as const;
const LENGTHS_S = [1, 2, 3, 4, 6, 8, 12, 20, 30, 60, 120, 300];

/** The chips beneath the prompt: shape, length, takes, model, and the fine settings. */
export function Knobs({ wish, change, model }: KnobsProps) {
  const t = useWords();
  const count = useCount();
  const { data: models } = useModels();
  if (!model) return null;
  const size = wish.size ?? sizeOf(wish.ratio, wish.detail, model.size).join("x");
  return (
    <>
      <Pocket
        label={t("knob.shape")}
        shown={
          <>
            <RatioMark size={size} /> {wish.size ? size.replace("x", "×") : wish.ratio}
          </>
        }
      >
        <Shape wish={wish} change={change} model={model} />
      </Pocket>
      {!wish.still && (
        <Pocket
          label={t("knob.length")}
          shown={<Seconds value={wish.seconds ?? model.seconds.default} />}
        >
          <Length wish={wish} change={change} model={model} />
        </Pocket>
      )}
      <Pocket label={t("knob.takes")} shown={count("takes", wish.takes)}>
        <Segments
          label={t("knob.takes")}
          value={wish.takes}
          options={TAKES.map((value) => ({ value, label: String(value) }))}
          onChange={(takes) => change({ takes })}
        />
        <p className="max-w-64 pt-2 text-small text-faint">{t("knob.takes.why")}</p>
      </Pocket>
      {models && models.length > 1 && (
        <Picker
          label={t("knob.model")}
          value={wish.model ?? model.model}
          options={models.map((one) => ({
            value: one.id,
            label: one.worldreel.installed ? one.id : t("model.absent", { name: one.id }),
            disabled: !one.worldreel.installed,
          }))}
          onChange={(name) =>
            change({ model: name, size: null, seconds: null, steps: null, guidance: null })
          }
        />
      )}
      <Pocket label={t("knob.more")} shown={t("knob.more")}>
        <Fine wish={wish} change={change} model={model} />
      </Pocket>
    </>
  );
}

function Seconds({ value }: { value: number }) {
  const numbers = useNumbers();
  return <>{numbers.span(value)}</>;
}

function Shape({ wish, change, model }: KnobsProps & { model: ModelFacts }) {
  const t = useWords();
  const details = detailsOf(wish.ratio, model.size);
  return (
    <div className="grid gap-2">
      <Segments
        label={t("knob.ratio")}
        value={wish.size ? "" : wish.ratio}
        options={RATIOS.map((value) => ({ value, label: value }))}
        onChange={(ratio) => change({ ratio, size: null })}
      />
      <Segments
        label={t("knob.size")}
        value={
          wish.size
            ? 0
            : ((details.find((one) => one.detail === wish.detail) ?? details[0])?.detail ?? 1)
        }
        options={details.map((one) => ({ value: one.detail, label: one.size.join("×") }))}
        onChange={(detail) => change({ detail, size: null })}
      />
    </div>
  );
}

function Length({ wish, change, model }: KnobsProps & { model: ModelFacts }) {
  const t = useWords();
  const numbers = useNumbers();
  const lengths = LENGTHS_S.filter((seconds) => seconds <= model.seconds.max);
  const seconds = wish.seconds ?? model.seconds.default;
  const nearest = lengths.reduce(
    (best, one) => (Math.abs(one - seconds) < Math.abs(best - seconds) ? one : best),
    1,
  );
  return (
    <div className="grid w-64 gap-3">
      <Range
        label={t("knob.length")}
        shown={numbers.span(seconds)}
        value={lengths.indexOf(nearest)}
        min={0}
        max={lengths.length - 1}
        step={1}
        onChange={(at) => change({ seconds: lengths[at] ?? null })}
      />
      <p className="timecode text-faint">
        {t("knob.frames", { n: Math.round(seconds * model.fps), fps: model.fps })}
      </p>
      <Check label={t("knob.loop")} checked={wish.loop} onChange={(loop) => change({ loop })} />
    </div>
  );
}

function Fine({ wish, change, model }: KnobsProps & { model: ModelFacts }) {
  const t = useWords();
  return (
    <div className="grid w-72 gap-4">
      <Check label={t("knob.still")} checked={wish.still} onChange={(still) => change({ still })} />
      <label className="grid gap-1.5 text-small text-soft">
        {t("knob.negative")}
        <textarea
          rows={2}
          value={wish.negative}
          maxLength={32000}
          onChange={(event) => change({ negative: event.target.value })}
          className="field resize-none text-body text-ink"
        />
      </label>
      <SeedField seed={wish.seed} onChange={(seed) => change({ seed })} />
      <Range
        label={t("knob.steps")}
        shown={String(wish.steps ?? model.sampling.num_inference_steps)}
        value={wish.steps ?? model.sampling.num_inference_steps}
        min={1}
        max={60}
        step={1}
        onChange={(steps) => change({ steps })}
      />
      <Range
        label={t("knob.guidance")}
        shown={(wish.guidance ?? model.sampling.guidance_scale).toFixed(1)}
        value={wish.guidance ?? model.sampling.guidance_scale}
        min={0}
        max={12}
        step={0.5}
        onChange={(guidance) => change({ guidance })}
      />
      <Button
        look="quiet"
        icon="reuse"
        onClick={() =>
          change({
            negative: "",
            seed: null,
            steps: null,
            guidance: null,
            still: false,
            size: null,
          })
        }
      >
        {t("knob.reset")}
      </Button>
    </div>
  );
}

function SeedField({
  seed,
  onChange,
}: {
  seed: number | null;
  onChange: (seed: number | null) => void;
}) {
  const t = useWords();
  const [text, setText] = useState(seed === null ? "" : String(seed));
  useEffect(() => setText(seed === null ? "" : String(seed)), [seed]);
  return (
    <label className="grid gap-1.5 text-small text-soft">
      {t("knob.seed")}
      <input
        inputMode="numeric"
        value={text}
        placeholder={t("knob.seed.random")}
        onChange={(event) => {
          const digits = event.target.value.replace(/\D/g, "").slice(0, 15);
          setText(digits);
          onChange(digits === "" ? null : Number(digits));
        }}
        className="field timecode text-ink"
      />
    </label>
  );
}

function Check({
  label,
  checked,
  onChange,
}: {
  label: string;
  checked: boolean;
  onChange: (now: boolean) => void;
}) {
  return (
    <label className="flex cursor-pointer items-center gap-2 text-small">
      <input
        type="checkbox"
        className="size-4 accent-(--lamp)"
        checked={checked}
        onChange={(event) => onChange(event.target.checked)}
      />
      {label}
    </label>
  );
}
