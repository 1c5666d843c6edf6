/** A row of the wall: which items stand in it, how high it is, where it begins. */
export type Row = { first: number; last: number; top: number; height: number; widths: number[] };

const GAP = 6;

/** Rows of equal height that fill the width, each picture in its own shape: nothing is cut. */
export function layRows(ratios: readonly number[], width: number, target: number): Row[] {
  const rows: Row[] = [];
  let top = 0;
  let first = 0;
  while (first < ratios.length && width > 0) {
    let across = 0;
    let last = first;
    for (; last < ratios.length; last++) {
      const wider = across + (ratios[last] ?? 1);
      const gaps = GAP * (last - first);
      if (last > first && wider * target + gaps > width) {
        // the picture at the edge goes where the row comes nearer to the height that is wanted
        const without = (width - GAP * (last - first - 1)) / across;
        const within = (width - gaps) / wider;
        if (Math.abs(without - target) <= Math.abs(target - within)) break;
        across = wider;
        last++;
        break;
      }
      across = wider;
    }
    const gaps = GAP * (last - first - 1);
    const full = last < ratios.length || across * target + gaps >= width;
    const height = full ? (width - gaps) / across : target;
    const widths = ratios.slice(first, last).map((ratio) => ratio * height);
    rows.push({ first, last, top, height, widths });
    top += height + GAP;
    first = last;
  }
  return rows;
}

export function totalHeight(rows: readonly Row[]): number {
  const last = rows.at(-1);
  return last ? last.top + last.height : 0;
}

export function rowOf(rows: readonly Row[], item: number): number {
  return rows.findIndex((row) => item >= row.first && item < row.last);
}

/** The rows between two heights: first, and one past the last. */
export function rowsBetween(rows: readonly Row[], from: number, to: number): [number, number] {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const row = rows[middle];
    if (row && row.top + row.height < from) low = middle + 1;
    else high = middle;
  }
  let end = low;
  while (end < rows.length && (rows[end]?.top ?? 0) < to) end++;
  return [low, end];
}

/** The item of a neighbouring row that stands nearest. */
export function itemBeside(rows: readonly Row[], item: number, down: 1 | -1): number {
  const at = rowOf(rows, item);
  const row = rows[at];
  const other = rows[at + down];
  if (!row || !other) return item;
  const middle = middleOf(row, item);
  let best = other.first;
  for (let next = other.first; next < other.last; next++)
    if (Math.abs(middleOf(other, next) - middle) < Math.abs(middleOf(other, best) - middle))
      best = next;
  return best;
}

export function leftOf(row: Row, item: number): number {
  return row.widths.slice(0, item - row.first).reduce((sum, width) => sum + width + GAP, 0);
}

function middleOf(row: Row, item: number): number {
  return leftOf(row, item) + (row.widths[item - row.first] ?? 0) / 2;
}
