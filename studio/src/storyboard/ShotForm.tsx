import { type ChangeEvent, type DragEvent, useRef, useState } from "react";
import { upload } from "../api/files";
import { useTell } from "../app/Notices";
import { Button } from "../parts/Button";
import { Range, Segments } from "../parts/Choice";
import { Icon } from "../parts/Icon";
import { useWords } from "../words/words";
import { CardPicture } from "./Axis";
import { type Card, LEAST_FRAMES } from "./board";

type ShotFormProps = {
  card: Card;
  number: number;
  first: boolean;
  fps: number;
  onChange: (part: Partial<Card>) => void;
  onLength: (seconds: number) => void;
  onRemove: (() => void) | null;
};

const LONGEST_S = 20;

/** One card of the storyboard: its words, what it begins with, how it follows the one before. */
export function ShotForm({
  card,
  number,
  first,
  fps,
  onChange,
  onLength,
  onRemove,
}: ShotFormProps) {
  const t = useWords();
  const tell = useTell();
  const field = useRef<HTMLInputElement>(null);
  const [coming, setComing] = useState(false);
  const given = card.image ?? card.clip;

  const take = async (file: File | undefined) => {
    if (!file) return;
    setComing(true);
    try {
      const brought = await upload(file);
      onChange(
        brought.kind === "picture"
          ? { image: brought.file_id, clip: undefined }
          : { clip: brought.file_id, image: undefined },
      );
    } catch (error) {
      tell.problem(error);
    } finally {
      setComing(false);
    }
  };
  const onDrop = (event: DragEvent) => {
    event.preventDefault();
    take(event.dataTransfer.files[0]);
  };
  const onPick = (event: ChangeEvent<HTMLInputElement>) => {
    take(event.target.files?.[0]);
    event.target.value = "";
  };
  return (
    <section
      aria-label={t("board.shot", { n: number })}
      onDragOver={(event) => event.preventDefault()}
      onDrop={onDrop}
      className="grid content-start gap-4 rounded-2xl border border-line bg-wall p-4"
    >
      <h2 className="script text-lead">{t("board.shot", { n: number })}</h2>
      <label className="grid gap-1.5 text-small text-soft">
        {t("words")}
        <textarea
          rows={4}
          value={card.prompt}
          maxLength={32000}
          placeholder={t("board.placeholder")}
          onChange={(event) => onChange({ prompt: event.target.value })}
          className="field script resize-none text-body text-ink"
        />
      </label>
      <div className="flex items-center gap-3">
        <span className="relative grid size-16 shrink-0 place-items-center overflow-hidden rounded-xl bg-card text-faint">
          {given ? (
            <CardPicture card={card} />
          ) : (
            <Icon name={coming ? "clock" : "image"} className={coming ? "animate-breathe" : ""} />
          )}
        </span>
        <div className="grid gap-1">
          <Button icon="upload" disabled={coming} onClick={() => field.current?.click()}>
            {t(given ? "board.other" : "board.bring")}
          </Button>
          {given && (
            <Button look="quiet" onClick={() => onChange({ image: undefined, clip: undefined })}>
              {t("board.without")}
            </Button>
          )}
        </div>
        <input ref={field} type="file" accept="image/*,video/*" hidden onChange={onPick} />
      </div>
      <Range
        label={t("knob.length")}
        shown={t("knob.frames", { n: Math.round(card.seconds * fps), fps })}
        value={Math.round(card.seconds * fps)}
        min={LEAST_FRAMES}
        max={LONGEST_S * fps}
        step={1}
        onChange={(frames) => onLength(frames / fps)}
      />
      {!first && (
        <Segments
          label={t("board.follows")}
          value={card.transition ?? "cut"}
          options={[
            { value: "cut", label: t("board.cut") },
            { value: "blend", label: t("board.blend") },
          ]}
          onChange={(transition) => onChange({ transition })}
        />
      )}
      {onRemove && (
        <Button look="bad" icon="trash" onClick={onRemove}>
          {t("board.remove")}
        </Button>
      )}
    </section>
  );
}
