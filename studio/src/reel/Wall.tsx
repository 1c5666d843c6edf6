import {
  type KeyboardEvent,
  type RefObject,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from "react";
import type { Video } from "../api/types";
import { useWords } from "../words/words";
import { Card } from "./Card";
import { itemBeside, layRows, leftOf, rowOf, rowsBetween, totalHeight } from "./layout";

type WallProps = {
  videos: Video[];
  total: number;
  selected: ReadonlySet<string>;
  onSelect: (id: string) => void;
  /** The element that scrolls. */
  frame: RefObject<HTMLElement | null>;
  onNearEnd: () => void;
};

const AHEAD = 0.75;

/** All videos in rows; only the rows in sight and some around them are in the page. */
export function Wall({ videos, total, selected, onSelect, frame, onNearEnd }: WallProps) {
  const t = useWords();
  const list = useRef<HTMLUListElement>(null);
  const [width, setWidth] = useState(0);
  const [seen, setSeen] = useState<[number, number]>([0, 4]);
  const [current, setCurrent] = useState(0);
  const wanted = useRef<number | null>(null);
  const target = width < 600 ? 168 : width < 1000 ? 210 : Math.min(420, 150 + width * 0.075);

  const shapes = videos.map((video) => video.size).join();
  // biome-ignore lint/correctness/useExhaustiveDependencies: rows depend on the shapes alone
  const rows = useMemo(() => layRows(videos.map(ratioOf), width, target), [shapes, width, target]);

  useLayoutEffect(() => {
    const element = list.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    setWidth(element.clientWidth);
    return () => observer.disconnect();
  }, []);

  useLayoutEffect(() => {
    const scroller = frame.current;
    const element = list.current;
    if (!scroller || !element) return;
    let asked = 0;
    const look = () => {
      asked = 0;
      const height = scroller.clientHeight;
      const top = scroller.scrollTop - element.offsetTop;
      const [first, last] = rowsBetween(rows, top - height * AHEAD, top + height * (1 + AHEAD));
      setSeen((before) => (before[0] === first && before[1] === last ? before : [first, last]));
      if (top + height * 3 > totalHeight(rows)) onNearEnd();
    };
    const onScroll = () => {
      asked ||= requestAnimationFrame(look);
    };
    look();
    scroller.addEventListener("scroll", onScroll, { passive: true });
    const observer = new ResizeObserver(onScroll);
    observer.observe(scroller);
    return () => {
      scroller.removeEventListener("scroll", onScroll);
      observer.disconnect();
      cancelAnimationFrame(asked);
    };
  }, [rows, frame, onNearEnd]);

  // what is focused by key may first have to be scrolled into the page
  useEffect(() => {
    if (wanted.current === null) return;
    const card = list.current?.querySelector<HTMLElement>(`[data-item="${wanted.current}"] a`);
    if (!card) return;
    wanted.current = null;
    card.focus({ preventScroll: true });
  });

  const walk = (item: number) => {
    const row = rows[rowOf(rows, item)];
    const scroller = frame.current;
    const element = list.current;
    if (!row || !scroller || !element) return;
    wanted.current = item;
    setCurrent(item);
    const top = element.offsetTop + row.top;
    const room = scroller.clientHeight * 0.3;
    if (top < scroller.scrollTop) scroller.scrollTo({ top: top - 20 });
    else if (top + row.height > scroller.scrollTop + scroller.clientHeight - room)
      scroller.scrollTo({ top: top + row.height - scroller.clientHeight + room });
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.target instanceof HTMLInputElement || event.altKey || event.ctrlKey || event.metaKey)
      return;
    const last = videos.length - 1;
    const at = Math.min(current, last);
    const next: Record<string, number> = {
      ArrowRight: Math.min(at + 1, last),
      ArrowLeft: Math.max(at - 1, 0),
      ArrowDown: itemBeside(rows, at, 1),
      ArrowUp: itemBeside(rows, at, -1),
      Home: 0,
      End: last,
    };
    const item = next[event.key];
    if (item === undefined) return;
    event.preventDefault();
    walk(item);
  };

  const active = Math.min(current, videos.length - 1);
  const [from, to] = seen;
  const shown = rows.slice(from, to);
  return (
    <ul
      ref={list}
      aria-label={t("reel.list")}
      className="relative"
      style={{ height: totalHeight(rows) }}
      onKeyDown={onKey}
    >
      {shown.flatMap((row) =>
        row.widths.map((across, offset) => {
          const item = row.first + offset;
          const video = videos[item];
          if (!video) return null;
          const isActive =
            item === active || (active < (rows[from]?.first ?? 0) && item === rows[from]?.first);
          return (
            <li
              key={video.id}
              data-item={item}
              aria-posinset={item + 1}
              aria-setsize={total}
              className="absolute"
              style={{ top: row.top, left: leftOf(row, item), width: across, height: row.height }}
              onFocus={() => setCurrent(item)}
            >
              <Card
                video={video}
                active={isActive}
                selected={selected.has(video.id)}
                onSelect={onSelect}
              />
            </li>
          );
        }),
      )}
    </ul>
  );
}

function ratioOf(video: Video): number {
  const [width, height] = video.size.split("x").map(Number);
  // a strip would leave no room for words, a tower no row for others
  return width && height ? Math.min(2.4, Math.max(0.5, width / height)) : 1;
}
