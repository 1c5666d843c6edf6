import type { Board, Shot } from "../api/types";

/** A card of the storyboard: a shot with a name of its own, so that it stays itself when it moves. */
export type Card = Shot & { key: string };
export type Cards = readonly Card[];

export const LEAST_FRAMES = 4;
let made = 0;

export function newCard(prompt = "", seconds = 2): Card {
  made += 1;
  return { key: `card-${made}`, prompt, seconds, transition: "cut" };
}

export function cardsOf(board: Board): Card[] {
  return (board.shot ?? []).map((shot) => ({ ...newCard(), ...shot }));
}

export function boardOf(cards: Cards, rest: Omit<Board, "shot">): Board {
  return {
    ...rest,
    shot: cards.map(({ key: _, ...shot }) =>
      Object.fromEntries(
        Object.entries(shot).filter(
          ([, value]) => value !== undefined && value !== null && value !== "",
        ),
      ),
    ) as Shot[],
  };
}

export function startOf(cards: Cards, at: number): number {
  return cards.slice(0, at).reduce((sum, card) => sum + card.seconds, 0);
}

export function cardAt(cards: Cards, at_s: number): number {
  let end = 0;
  const found = cards.findIndex((card) => {
    end += card.seconds;
    return at_s < end - 1e-6;
  });
  return found < 0 ? cards.length - 1 : found;
}

/** A time on the grid of frames. */
export function onFrame(seconds: number, fps: number): number {
  return Math.round(seconds * fps) / fps;
}

/** Moves the boundary at the left of a card: the shot before gets longer or shorter, all else stays. */
export function moveStart(cards: Cards, at: number, to_s: number, fps: number): Card[] {
  const before = cards[at - 1];
  const card = cards[at];
  if (!before || !card) return [...cards];
  const least = LEAST_FRAMES / fps;
  const begin = startOf(cards, at - 1);
  const end = begin + before.seconds + card.seconds;
  const start = onFrame(Math.min(end - least, Math.max(begin + least, to_s)), fps);
  return cards.map((one, index) =>
    index === at - 1
      ? { ...one, seconds: onFrame(start - begin, fps) }
      : index === at
        ? { ...one, seconds: onFrame(end - start, fps) }
        : one,
  );
}

/** Makes a shot longer or shorter; what comes after it moves along. */
export function setLength(cards: Cards, at: number, seconds: number, fps: number): Card[] {
  const length = Math.max(LEAST_FRAMES / fps, onFrame(seconds, fps));
  return cards.map((card, index) => (index === at ? { ...card, seconds: length } : card));
}

export function moveCard(cards: Cards, from: number, to: number): Card[] {
  const left = cards.filter((_, index) => index !== from);
  const card = cards[from];
  return card ? [...left.slice(0, to), card, ...left.slice(to)] : left;
}

/** Cuts a shot in two where the playhead stands; the second half goes on with the first. */
export function splitAt(cards: Cards, at_s: number, fps: number): Card[] {
  const at = cardAt(cards, at_s);
  const card = cards[at];
  if (!card) return [...cards];
  const least = LEAST_FRAMES / fps;
  const first = onFrame(at_s - startOf(cards, at), fps);
  if (first < least || card.seconds - first < least) return [...cards];
  const { image: _, clip: __, clip_from_s: ___, clip_to_s: ____, ...rest } = card;
  const { last_image: _____, ...head } = card;
  const tail = {
    ...rest,
    ...keyed(),
    seconds: onFrame(card.seconds - first, fps),
    transition: "blend" as const,
  };
  return [...cards.slice(0, at), { ...head, seconds: first }, tail, ...cards.slice(at + 1)];
}

function keyed(): Pick<Card, "key"> {
  return { key: newCard().key };
}

export function total(cards: Cards): number {
  return startOf(cards, cards.length);
}
