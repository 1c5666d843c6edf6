import type { Lineage, LineageNode } from "../api/types";

export type Placed = { node: LineageNode; column: number; row: number };
export type Tree = {
  placed: Placed[];
  edges: { from: Placed; to: Placed; role: string }[];
  columns: number;
  rows: number;
};

/** Ancestors at the left, what came of them to the right; each as near to its parents as there is room. */
export function layTree(lineage: Lineage): Tree {
  const parents = new Map<string, string[]>();
  for (const { parent, child } of lineage.edges)
    parents.set(child, [...(parents.get(child) ?? []), parent]);
  const columns = new Map<string, number>();
  const columnOf = (id: string, above: ReadonlySet<string>): number => {
    const known = columns.get(id);
    if (known !== undefined) return known;
    const of = (parents.get(id) ?? []).filter((parent) => !above.has(parent));
    const column =
      of.length === 0
        ? 0
        : 1 + Math.max(...of.map((parent) => columnOf(parent, new Set([...above, id]))));
    columns.set(id, column);
    return column;
  };
  const placed = new Map<string, Placed>();
  const used: number[] = [];
  const order = [...lineage.nodes].sort(
    (a, b) =>
      columnOf(a.id, new Set()) - columnOf(b.id, new Set()) ||
      (a.created_at ?? 0) - (b.created_at ?? 0) ||
      (a.take ?? 0) - (b.take ?? 0),
  );
  for (const node of order) {
    const column = columnOf(node.id, new Set());
    const wanted = (parents.get(node.id) ?? []).map((parent) => placed.get(parent)?.row ?? 0);
    const row = Math.max(used[column] ?? 0, wanted.length > 0 ? Math.min(...wanted) : 0);
    used[column] = row + 1;
    placed.set(node.id, { node, column, row });
  }
  const edges = lineage.edges.flatMap(({ parent, child, role }) => {
    const from = placed.get(parent);
    const to = placed.get(child);
    return from && to ? [{ from, to, role }] : [];
  });
  return {
    placed: [...placed.values()],
    edges,
    columns: used.length,
    rows: Math.max(0, ...used.filter(Boolean)),
  };
}
