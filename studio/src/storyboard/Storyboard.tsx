import { useEffect, useRef, useState } from "react";
import { useBoard, useBoardActs, useBoards } from "../api/boards";
import { useEstimate, useMake } from "../api/making";
import { useModel } from "../api/server";
import type { Board, Storyboard as Kept, Sizes } from "../api/types";
import { useExplain } from "../app/explain";
import { useTell } from "../app/Notices";
import { go } from "../app/route";
import { useStored } from "../app/stored";
import { Cost } from "../composer/Cost";
import { DETAILS, RATIOS, sizeOf } from "../composer/wish";
import { Button } from "../parts/Button";
import { Picker } from "../parts/Choice";
import { Notice } from "../parts/Notice";
import { timecode, useWords } from "../words/words";
import { Axis } from "./Axis";
import { BoardFiles } from "./BoardFiles";
import { boardOf, type Card, cardAt, cardsOf, newCard, setLength, splitAt, total } from "./board";
import { Screen } from "./Screen";
import { ShotForm } from "./ShotForm";

/** Shots along a time axis, made into one video. */
export default function Storyboard({ id }: { id: string | null }) {
  const t = useWords();
  const explain = useExplain();
  const acts = useBoardActs();
  const tell = useTell();
  const boards = useBoards();
  const kept = useBoard(id);
  const begun = useRef(false);

  // without a name in the address: the one that was changed last, or the first one ever
  useEffect(() => {
    if (id || !boards.isSuccess || begun.current) return;
    begun.current = true;
    const [latest] = boards.data;
    if (latest) return go({ view: "storyboard", id: latest.id }, { replace: true });
    acts
      .make({ name: t("board.first"), board: { shot: [{ prompt: "", seconds: 2 }] } })
      .then((made) => go({ view: "storyboard", id: made.id }, { replace: true }), tell.problem);
  });
  if (kept.isError)
    return (
      <Notice
        icon="alert"
        title={t("board.missing")}
        action={
          <Button onClick={() => go({ view: "storyboard", id: null })}>
            {t("nav.storyboard")}
          </Button>
        }
      >
        {explain(kept.error)}
      </Notice>
    );
  if (!kept.data) return null;
  return <Editor key={kept.data.id} kept={kept.data} />;
}

const SAVE_MS = 600;

function Editor({ kept }: { kept: Kept }) {
  const t = useWords();
  const tell = useTell();
  const make = useMake();
  const acts = useBoardActs();
  const [cards, setCards] = useState<readonly Card[]>(() => {
    const found = cardsOf(kept.board);
    return found.length > 0 ? found : [newCard()];
  });
  const { shot: _, ...before } = kept.board;
  const [rest, setRest] = useState<Omit<Board, "shot">>(before);
  const [name, setName] = useState(kept.name);
  const [chosen, choose] = useState(cards[0]?.key ?? "");
  const [at_s, setAt] = useState(0);
  const [sending, setSending] = useState(false);
  const [renders, setRenders] = useStored<Record<string, string>>("renders", {});
  const model = useModel(null)?.worldreel;
  const fps = rest.fps ?? model?.fps ?? 12;
  const board = boardOf(cards, rest);
  const ready = cards.every((card) => card.prompt.trim());
  const body = ready ? { verb: "storyboard" as const, board } : null;
  const estimate = useEstimate(body);
  const at = Math.max(
    0,
    cards.findIndex((card) => card.key === chosen),
  );
  const card = cards[at];
  const saving = useSaved(kept.id, name, board, acts.save, tell.problem);

  const change = (part: Partial<Card>) =>
    setCards(cards.map((one, index) => (index === at ? { ...one, ...part } : one)));
  const add = () => {
    const made = { ...newCard("", 2), ...(card && { prompt: "" }) };
    setCards([...cards.slice(0, at + 1), made, ...cards.slice(at + 1)]);
    choose(made.key);
  };
  const remove = () => {
    if (cards.length < 2) return;
    const left = cards.filter((_, index) => index !== at);
    setCards(left);
    choose(left[Math.max(0, at - 1)]?.key ?? "");
  };
  const split = () => setCards(splitAt(cards, at_s, fps));
  const run = async () => {
    if (!body) return tell.said(t("board.words"));
    setSending(true);
    try {
      const [made] = await make(body);
      if (made) setRenders({ ...renders, [kept.id]: made.id });
    } catch (error) {
      tell.problem(error);
    } finally {
      setSending(false);
    }
  };
  const seek = (to_s: number) => {
    setAt(to_s);
    choose(cards[cardAt(cards, to_s)]?.key ?? chosen);
  };

  return (
    <div className="flex h-full flex-col gap-3 overflow-y-auto p-3 sm:p-5">
      <header className="flex flex-wrap items-center gap-2">
        <h1 className="sr-only">{t("nav.storyboard")}</h1>
        <input
          aria-label={t("board.name")}
          value={name}
          maxLength={80}
          onChange={(event) => setName(event.target.value)}
          className="script min-w-40 flex-1 rounded-lg border border-transparent bg-transparent px-2 py-1 text-title hover:border-line focus:border-line"
        />
        <output className="timecode text-faint">
          {t(saving ? "board.saving" : "board.saved")}
        </output>
        <BoardFiles kept={kept} name={name} />
      </header>
      <div className="grid shrink-0 gap-4 lg:min-h-0 lg:flex-1 lg:shrink lg:grid-cols-[minmax(0,1fr)_22rem]">
        <Screen
          cards={cards}
          at_s={at_s}
          onSeek={seek}
          fps={fps}
          size={rest.size ?? model?.size.default ?? [1, 1]}
          render={renders[kept.id] ?? null}
        />
        {card && (
          <ShotForm
            key={card.key}
            card={card}
            number={at + 1}
            first={at === 0}
            fps={fps}
            onChange={change}
            onLength={(seconds) => setCards(setLength(cards, at, seconds, fps))}
            onRemove={cards.length > 1 ? remove : null}
          />
        )}
      </div>
      <Axis
        cards={cards}
        chosen={chosen}
        at_s={at_s}
        fps={fps}
        onCards={setCards}
        onChoose={choose}
        onSeek={seek}
        onSplit={split}
        onRemove={remove}
      />
      <footer className="flex flex-wrap items-center gap-2">
        <Button icon="plus" onClick={add}>
          {t("board.add")}
        </Button>
        <Button icon="split" onClick={split}>
          {t("board.split")}
        </Button>
        {model && (
          <Picker
            label={t("knob.size")}
            value={(rest.size ?? model.size.default).join("x")}
            options={sizesOf(model.size, rest.size).map((size) => ({
              value: size,
              label: size.replace("x", "×"),
            }))}
            onChange={(size) => {
              const [width = 0, height = 0] = size.split("x").map(Number);
              setRest({ ...rest, size: [width, height] });
            }}
          />
        )}
        <label className="flex cursor-pointer items-center gap-2 px-2 text-small">
          <input
            type="checkbox"
            className="size-4 accent-(--lamp)"
            checked={rest.loop ?? false}
            onChange={(event) => setRest({ ...rest, loop: event.target.checked })}
          />
          {t("knob.loop")}
        </label>
        <span className="timecode text-soft">{timecode(total(cards))}</span>
        <Cost estimate={estimate} asked={body !== null} />
        <Button
          look="lamp"
          icon={sending ? "clock" : "play"}
          disabled={sending}
          onClick={run}
          className="min-w-28"
        >
          {t("run")}
        </Button>
      </footer>
    </div>
  );
}

function sizesOf(size: Sizes, now: readonly number[] | undefined): string[] {
  const known = RATIOS.flatMap((ratio) => DETAILS.map((detail) => sizeOf(ratio, detail, size)));
  return [...new Set([...(now ? [now] : []), ...known].map((one) => one.join("x")))];
}

/** Saves what was changed, a moment after the last change; tells whether something is still on its way. */
function useSaved(
  id: string,
  name: string,
  board: Board,
  save: (id: string, body: { name?: string; board?: Board }) => Promise<unknown>,
  onProblem: (error: unknown) => void,
): boolean {
  const text = JSON.stringify({ name: name.trim() || "–", board });
  const saved = useRef(text);
  const [saving, setSaving] = useState(false);
  useEffect(() => {
    if (text === saved.current) return;
    setSaving(true);
    const timer = setTimeout(() => {
      saved.current = text;
      save(id, JSON.parse(text)).then(
        () => setSaving(false),
        (error) => {
          saved.current = "";
          onProblem(error);
        },
      );
    }, SAVE_MS);
    return () => clearTimeout(timer);
  });
  return saving;
}
