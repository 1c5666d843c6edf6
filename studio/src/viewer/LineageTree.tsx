import { fileOf, useLineage } from "../api/videos";
import { href } from "../app/route";
import { Icon } from "../parts/Icon";
import { useWords } from "../words/words";
import { layTree, type Placed } from "./tree";

const WIDTH = 84;
const HEIGHT = 70;
const PICTURE = 56;

/** Where a video came from and what came of it; every step can be walked back. */
export function LineageTree({ id }: { id: string }) {
  const t = useWords();
  const { data } = useLineage(id);
  if (!data || data.nodes.length < 2) return null;
  const tree = layTree(data);
  const left = (place: Placed) => place.column * WIDTH;
  const top = (place: Placed) => place.row * HEIGHT;
  return (
    <nav aria-label={t("lineage")} className="rounded-2xl border border-line bg-wall p-4">
      <h2 className="flex items-center gap-2 pb-3 text-small font-semibold text-soft">
        <Icon name="tree" /> {t("lineage")}
      </h2>
      <div className="max-h-80 overflow-auto p-1">
        <ol
          className="relative"
          style={{ width: tree.columns * WIDTH - (WIDTH - PICTURE), height: tree.rows * HEIGHT }}
        >
          <svg aria-hidden="true" className="absolute size-full overflow-visible" fill="none">
            {tree.edges.map(({ from, to, role }) => {
              const [x, y] = [left(from) + PICTURE, top(from) + PICTURE / 2];
              const [u, v] = [left(to), top(to) + PICTURE / 2];
              return (
                <path
                  key={`${from.node.id} ${to.node.id} ${role}`}
                  d={`M${x} ${y}C${x + 14} ${y} ${u - 14} ${v} ${u} ${v}`}
                  stroke="var(--edge)"
                  strokeWidth="1.5"
                  strokeDasharray={role === "source" ? undefined : "3 3"}
                />
              );
            })}
          </svg>
          {tree.placed.map((place) => (
            <li
              key={place.node.id}
              className="absolute"
              style={{ left: left(place), top: top(place), width: PICTURE }}
            >
              <Step place={place} here={place.node.id === id} />
            </li>
          ))}
        </ol>
      </div>
    </nav>
  );
}

function Step({ place, here }: { place: Placed; here: boolean }) {
  const t = useWords();
  const { node } = place;
  const name = `${t(`verb.${node.verb ?? "create"}`)}: ${node.prompt ?? t("untitled")}`;
  const shape =
    "relative grid aspect-square place-items-center overflow-hidden rounded-lg bg-lift text-faint";
  if (node.status === "deleted")
    return (
      <span
        role="img"
        className={`${shape} border border-dashed border-edge`}
        aria-label={t("lineage.deleted")}
      >
        <Icon name="trash" />
      </span>
    );
  return (
    <a
      href={href({ view: "video", id: node.id })}
      aria-current={here ? "page" : undefined}
      aria-label={name}
      title={name}
      className={`${shape} ring-lamp aria-[current=page]:ring-2 hover:ring-2`}
    >
      {node.status === "completed" ? (
        <img src={fileOf(node.id, "small")} alt="" className="size-full object-cover" />
      ) : (
        <Icon
          name={node.status === "failed" ? "alert" : "clock"}
          className={node.status === "in_progress" ? "animate-breathe" : ""}
        />
      )}
      {node.picked && (
        <Icon
          name="check"
          className="absolute top-0.5 right-0.5 rounded-full bg-lamp text-[0.7rem] text-on-lamp"
        />
      )}
    </a>
  );
}
