import { type KeyboardEvent, type PointerEvent, useRef, useState } from "react";
import { thumbnailOfFile } from "../api/files";
import { fileOf } from "../api/videos";
import { timecode, useWords } from "../words/words";
import {
  type Card,
  cardAt,
  LEAST_FRAMES,
  moveCard,
  moveStart,
  setLength,
  startOf,
  total,
} from "./board";

type AxisProps = {
  cards: readonly Card[];
  chosen: string;
  at_s: number;
  fps: number;
  onCards: (cards: Card[]) => void;
  onChoose: (key: string) => void;
  onSeek: (at_s: number) => void;
  onSplit: () => void;
  onRemove: () => void;
};
type Grip =
  | { kind: "start"; at: number }
  | { kind: "end" }
  | { kind: "card"; key: string; from_x: number; moved: boolean }
  | { kind: "head" };

const PIXELS_PER_S = 96;
const MOVED = 6;

/** The time axis: cards as wide as they last; edges are dragged to set the pacing, cards to change their order. */
export function Axis({
  cards,
  chosen,
  at_s,
  fps,
  onCards,
  onChoose,
  onSeek,
  onSplit,
  onRemove,
}: AxisProps) {
  const t = useWords();
  const ruler = useRef<HTMLDivElement>(null);
  const grip = useRef<Grip | null>(null);
  const [held, hold] = useState<string | null>(null);
  const end_s = total(cards);
  const seconds = Math.ceil(end_s) + 2;
  const width = seconds * PIXELS_PER_S;

  const timeOf = (event: PointerEvent) =>
    (event.clientX - (ruler.current?.getBoundingClientRect().left ?? 0)) / PIXELS_PER_S;
  const take = (event: PointerEvent, what: Grip) => {
    event.stopPropagation();
    event.currentTarget.setPointerCapture(event.pointerId);
    grip.current = what;
  };
  const onMove = (event: PointerEvent) => {
    const now = grip.current;
    if (!now) return;
    const to_s = timeOf(event);
    if (now.kind === "start") onCards(moveStart(cards, now.at, to_s, fps));
    else if (now.kind === "end")
      onCards(setLength(cards, cards.length - 1, to_s - startOf(cards, cards.length - 1), fps));
    else if (now.kind === "head")
      onSeek(Math.min(end_s, Math.max(0, Math.round(to_s * fps) / fps)));
    else if (now.moved || Math.abs(event.clientX - now.from_x) > MOVED) {
      now.moved = true;
      hold(now.key);
      const from = cards.findIndex((card) => card.key === now.key);
      const to = cardAt(cards, Math.max(0, to_s));
      const [moving, there] = [cards[from], cards[to]];
      if (!moving || !there || from === to) return;
      // a long card is passed only once the pointer is where the short one will stand
      const edge =
        startOf(cards, to) + (to > from ? there.seconds - moving.seconds : moving.seconds);
      if (to > from ? to_s >= edge : to_s <= edge) onCards(moveCard(cards, from, to));
    }
  };
  const onUp = () => {
    grip.current = null;
    hold(null);
  };
  const onKey = (event: KeyboardEvent) => {
    const at = Math.max(
      0,
      cards.findIndex((card) => card.key === chosen),
    );
    const way = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    const card = cards[at];
    if (way !== 0 && event.shiftKey && card)
      onCards(
        setLength(cards, at, card.seconds + (way * Math.max(1, LEAST_FRAMES / 2)) / fps, fps),
      );
    else if (way !== 0 && event.altKey)
      onCards(moveCard(cards, at, Math.min(cards.length - 1, Math.max(0, at + way))));
    else if (way !== 0) {
      const next = Math.min(cards.length - 1, Math.max(0, at + way));
      onChoose(cards[next]?.key ?? chosen);
      onSeek(startOf(cards, next));
      event.currentTarget.querySelectorAll<HTMLElement>("[data-card]")[next]?.focus();
    } else if (event.key === "s") onSplit();
    else if (event.key === "Delete" || event.key === "Backspace") onRemove();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <section
      aria-label={t("board.axis")}
      className="relative shrink-0 overflow-x-auto rounded-2xl border border-line bg-wall px-4"
      onPointerMove={onMove}
      onPointerUp={onUp}
      onPointerCancel={onUp}
      onKeyDown={onKey}
    >
      <div ref={ruler} className="relative h-40 touch-pan-x" style={{ width }}>
        <Ruler
          seconds={seconds}
          onDown={(event) => {
            take(event, { kind: "head" });
            onSeek(Math.min(end_s, Math.max(0, timeOf(event))));
          }}
        />
        {cards.map((card, at) => {
          const start = startOf(cards, at);
          return (
            <div
              key={card.key}
              className={`absolute top-9 bottom-2 p-0.5 ${held === card.key ? "z-10 opacity-80" : "transition-[left,width] duration-150"}`}
              style={{ left: start * PIXELS_PER_S, width: card.seconds * PIXELS_PER_S }}
            >
              <button
                type="button"
                data-card={at}
                aria-pressed={card.key === chosen}
                tabIndex={card.key === chosen ? 0 : -1}
                onPointerDown={(event) =>
                  take(event, { kind: "card", key: card.key, from_x: event.clientX, moved: false })
                }
                onClick={() => {
                  onChoose(card.key);
                  if (at_s < start || at_s >= start + card.seconds) onSeek(start);
                }}
                className={`relative block size-full cursor-grab overflow-hidden rounded-xl border text-left active:cursor-grabbing ${card.key === chosen ? "border-lamp bg-glow" : "border-line bg-card hover:border-edge"}`}
              >
                <CardPicture card={card} />
                <span className="absolute inset-x-0 bottom-0 bg-card/90 px-2.5 py-1.5">
                  <span className="sr-only">
                    {t("board.card", { n: at + 1, from: timecode(start) })}
                  </span>
                  <span className="script line-clamp-2 text-small">
                    {card.prompt || t("board.empty")}
                  </span>
                  <span className="timecode text-faint">
                    {t("span.s", { n: card.seconds.toFixed(2) })}
                  </span>
                </span>
              </button>
              {at > 0 && (
                <span
                  aria-hidden="true"
                  className="group absolute inset-y-0 -left-2 z-10 grid w-4 cursor-col-resize touch-none place-items-center"
                  onPointerDown={(event) => take(event, { kind: "start", at })}
                >
                  <span
                    className={`h-12 w-1 rounded-full transition-colors group-hover:bg-lamp ${card.transition === "blend" ? "loose" : "bg-edge"}`}
                  />
                </span>
              )}
              {at === cards.length - 1 && (
                <span
                  aria-hidden="true"
                  className="group absolute inset-y-0 -right-2 z-10 grid w-4 cursor-col-resize touch-none place-items-center"
                  onPointerDown={(event) => take(event, { kind: "end" })}
                >
                  <span className="h-12 w-1 rounded-full bg-edge transition-colors group-hover:bg-lamp" />
                </span>
              )}
            </div>
          );
        })}
        <span
          aria-hidden="true"
          className="pointer-events-none absolute inset-y-0 z-20 w-px bg-lamp"
          style={{ left: at_s * PIXELS_PER_S }}
        >
          <span className="absolute -left-1.5 top-0 size-3 rounded-b-full bg-lamp" />
        </span>
      </div>
    </section>
  );
}

function Ruler({ seconds, onDown }: { seconds: number; onDown: (event: PointerEvent) => void }) {
  return (
    <div
      aria-hidden="true"
      onPointerDown={onDown}
      className="absolute inset-x-0 top-0 h-8 cursor-ew-resize touch-none border-b border-line"
    >
      {[...Array(seconds).keys()].map((second) => (
        <span
          key={second}
          className="timecode absolute bottom-0 h-5 border-l border-line pl-1 text-faint"
          style={{ left: second * PIXELS_PER_S }}
        >
          {timecode(second).slice(0, -4)}
        </span>
      ))}
    </div>
  );
}

/** What a card begins with, if something is given. */
export function CardPicture({ card }: { card: Card }) {
  const file = card.image ?? card.clip ?? card.reference;
  if (!file) return null;
  const source = file.startsWith("video_") ? fileOf(file, "small") : thumbnailOfFile(file);
  return (
    <img
      src={source}
      alt=""
      draggable={false}
      className="absolute inset-0 size-full object-cover"
    />
  );
}
