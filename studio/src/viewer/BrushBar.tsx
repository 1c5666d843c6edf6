import { Button } from "../parts/Button";
import { Segments } from "../parts/Choice";
import { useWords } from "../words/words";
import type { Stroke } from "./verbs";

/** What the brush does, how large it is, and for which part of the clip its next stroke counts. */
export type BrushState = {
  tool: "paint" | "rub" | "move";
  radius: number;
  span: "whole" | "on" | "until";
};
export const FIRST_BRUSH: BrushState = { tool: "paint", radius: 0.08, span: "whole" };

type BrushBarProps = {
  brush: BrushState;
  onBrush: (brush: BrushState) => void;
  strokes: Stroke[];
  onStrokes: (strokes: Stroke[]) => void;
};

/** The tools of the brush, beneath the picture so that they hide nothing of it. */
export function BrushBar({ brush, onBrush, strokes, onStrokes }: BrushBarProps) {
  const t = useWords();
  return (
    <div className="mx-auto flex max-w-4xl animate-enter flex-wrap items-center justify-center gap-2">
      <Segments
        label={t("brush.tool")}
        value={brush.tool}
        options={(["paint", "rub", "move"] as const).map((value) => ({
          value,
          label: t(`brush.${value}`),
        }))}
        onChange={(tool) => onBrush({ ...brush, tool })}
      />
      <input
        type="range"
        aria-label={t("brush.radius")}
        min={0.02}
        max={0.3}
        step={0.02}
        value={brush.radius}
        onChange={(event) => onBrush({ ...brush, radius: event.target.valueAsNumber })}
        className="w-24 accent-(--lamp)"
      />
      <Segments
        label={t("brush.span")}
        value={brush.span}
        options={(["whole", "on", "until"] as const).map((value) => ({
          value,
          label: t(`brush.${value}`),
        }))}
        onChange={(span) => onBrush({ ...brush, span })}
      />
      <Button
        look="quiet"
        disabled={strokes.length === 0}
        onClick={() => onStrokes(strokes.slice(0, -1))}
      >
        {t("undo")}
      </Button>
      <Button look="quiet" disabled={strokes.length === 0} onClick={() => onStrokes([])}>
        {t("brush.clear")}
      </Button>
    </div>
  );
}
