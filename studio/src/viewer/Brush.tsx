import { type KeyboardEvent, type PointerEvent, useEffect, useRef, useState } from "react";
import { useWords } from "../words/words";
import type { BrushState } from "./BrushBar";
import { moveAt, movedTo, paintMask } from "./mask";
import type { Stroke } from "./verbs";

type BrushProps = {
  brush: BrushState;
  onBrush: (brush: BrushState) => void;
  strokes: Stroke[];
  onChange: (strokes: Stroke[]) => void;
  at_s: number;
  seconds: number;
  width: number;
  height: number;
};

const NEAR = 0.004;
const KEY_STEP = 0.02;
const CANVAS = 512;

/** Paints over the picture what shall be made anew; what is painted can follow a thing over time. */
export function Brush({
  brush,
  onBrush,
  strokes,
  onChange,
  at_s,
  seconds,
  width,
  height,
}: BrushProps) {
  const t = useWords();
  const canvas = useRef<HTMLCanvasElement>(null);
  const { tool, radius, span } = brush;
  const [cursor, setCursor] = useState<[number, number]>([0.5, 0.5]);
  const [byKey, setByKey] = useState(false);
  const drawing = useRef<{ stroke: Stroke; last: [number, number] } | null>(null);

  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (context) paintMask(context, strokes, at_s);
  }, [strokes, at_s]);

  const newStroke = (point: [number, number]): Stroke => ({
    points: [point],
    radius,
    erase: tool === "rub",
    from_s: span === "on" ? at_s : null,
    to_s: span === "until" ? Math.min(seconds, at_s) || null : null,
    moves: [],
  });
  const shift = (by: [number, number]) =>
    onChange(
      strokes.map((stroke) => {
        const [dx, dy] = moveAt(stroke, at_s);
        return movedTo(stroke, at_s, dx + by[0], dy + by[1], 0);
      }),
    );
  const pointOf = (event: PointerEvent): [number, number] => {
    const box = event.currentTarget.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };

  const onDown = (event: PointerEvent) => {
    event.currentTarget.setPointerCapture(event.pointerId);
    const point = pointOf(event);
    setByKey(false);
    drawing.current = { stroke: newStroke(point), last: point };
    if (tool !== "move") onChange([...strokes, drawing.current.stroke]);
  };
  const onMove = (event: PointerEvent) => {
    const now = drawing.current;
    if (!now) return;
    const point = pointOf(event);
    const by: [number, number] = [point[0] - now.last[0], point[1] - now.last[1]];
    if (Math.hypot(...by) < NEAR) return;
    now.last = point;
    if (tool === "move") return shift(by);
    now.stroke = { ...now.stroke, points: [...now.stroke.points, point] };
    onChange([...strokes.slice(0, -1), now.stroke]);
  };
  const onUp = () => {
    drawing.current = null;
  };
  const onKey = (event: KeyboardEvent) => {
    const ways: Record<string, [number, number]> = {
      ArrowLeft: [-KEY_STEP, 0],
      ArrowRight: [KEY_STEP, 0],
      ArrowUp: [0, -KEY_STEP],
      ArrowDown: [0, KEY_STEP],
    };
    const way = ways[event.key];
    if (way) {
      setByKey(true);
      if (tool === "move") shift(way);
      setCursor(([x, y]) => [clamp(x + way[0]), clamp(y + way[1])]);
    } else if (event.key === " " || event.key === "Enter") {
      setByKey(true);
      if (tool !== "move") onChange([...strokes, newStroke(cursor)]);
    } else if (event.key === "[") onBrush({ ...brush, radius: Math.max(0.02, radius - 0.02) });
    else if (event.key === "]") onBrush({ ...brush, radius: Math.min(0.3, radius + 0.02) });
    else if (event.key === "Backspace") onChange(strokes.slice(0, -1));
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <div data-own-keys className="absolute inset-0">
      {/* biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: it is painted on, by pointer and by keys */}
      <canvas
        ref={canvas}
        width={CANVAS}
        height={Math.round((CANVAS * height) / width)}
        role="application"
        aria-label={t("brush.area")}
        tabIndex={0}
        onPointerDown={onDown}
        onPointerMove={onMove}
        onPointerUp={onUp}
        onPointerCancel={onUp}
        onKeyDown={onKey}
        onFocus={(event) => setByKey(event.currentTarget.matches(":focus-visible"))}
        onBlur={() => setByKey(false)}
        className={`size-full touch-none opacity-65 -outline-offset-3 ${tool === "move" ? "cursor-move" : "cursor-crosshair"}`}
      />
      {byKey && (
        <span
          aria-hidden="true"
          className="pointer-events-none absolute aspect-square -translate-1/2 rounded-full border-2 border-white mix-blend-difference"
          style={{
            left: `${cursor[0] * 100}%`,
            top: `${cursor[1] * 100}%`,
            [width < height ? "width" : "height"]: `${radius * 200}%`,
          }}
        />
      )}
    </div>
  );
}

function clamp(share: number): number {
  return Math.min(1, Math.max(0, share));
}
