import type { Stroke } from "./verbs";

/** How far a stroke has moved at a time: between its marks in a straight line, held at both ends. */
export function moveAt(stroke: Stroke, at_s: number): [number, number] {
  const { moves } = stroke;
  const [first] = moves;
  if (!first) return [0, 0];
  if (at_s <= first.at_s) return [first.dx, first.dy];
  for (let next = 1; next < moves.length; next++) {
    const from = moves[next - 1];
    const to = moves[next];
    if (!from || !to || at_s > to.at_s) continue;
    const share = (at_s - from.at_s) / (to.at_s - from.at_s);
    return [from.dx + share * (to.dx - from.dx), from.dy + share * (to.dy - from.dy)];
  }
  const last = moves[moves.length - 1] ?? first;
  return [last.dx, last.dy];
}

/** The same stroke, moved to somewhere else from now on (and up to now, where nothing was said). */
export function movedTo(
  stroke: Stroke,
  at_s: number,
  dx: number,
  dy: number,
  start_s: number,
): Stroke {
  const kept = stroke.moves.filter((move) => Math.abs(move.at_s - at_s) > 1e-6);
  if (kept.length === 0 && at_s > start_s + 1e-6) {
    const [x, y] = moveAt(stroke, start_s);
    kept.push({ at_s: start_s, dx: x, dy: y });
  }
  const moves = [...kept, { at_s, dx, dy }].sort((a, b) => a.at_s - b.at_s);
  return { ...stroke, moves };
}

export function isShown(stroke: Stroke, at_s: number): boolean {
  return (
    (stroke.from_s === null || at_s >= stroke.from_s - 1e-6) &&
    (stroke.to_s === null || at_s < stroke.to_s - 1e-6)
  );
}

/** Paints the mask of a moment: what is made anew is in light. */
export function paintMask(
  context: CanvasRenderingContext2D,
  strokes: readonly Stroke[],
  at_s: number,
): void {
  const { width, height } = context.canvas;
  context.clearRect(0, 0, width, height);
  context.lineCap = "round";
  context.lineJoin = "round";
  for (const stroke of strokes) {
    if (!isShown(stroke, at_s)) continue;
    const [dx, dy] = moveAt(stroke, at_s);
    context.globalCompositeOperation = stroke.erase ? "destination-out" : "source-over";
    context.strokeStyle = "#f0825e";
    context.lineWidth = 2 * stroke.radius * Math.min(width, height);
    context.beginPath();
    stroke.points.forEach(([x, y], at) => {
      const [across, down] = [(x + dx) * width, (y + dy) * height];
      if (at === 0) context.moveTo(across, down);
      context.lineTo(across, down);
    });
    context.stroke();
  }
  context.globalCompositeOperation = "source-over";
}
