import { type FormEvent, useEffect, useState } from "react";
import { useModel } from "../api/server";
import { useExplain } from "../app/explain";
import { href } from "../app/route";
import { isTyping } from "../app/shortcuts";
import { useStored } from "../app/stored";
import { Button, IconButton } from "../parts/Button";
import { Icon } from "../parts/Icon";
import { Notice } from "../parts/Notice";
import { useNumbers, useWords } from "../words/words";
import { type Running, usePlay } from "./usePlay";

const CAMERA = [
  { key: "ArrowLeft", say: "left", mark: "←", name: "play.left" },
  { key: "ArrowRight", say: "right", mark: "→", name: "play.right" },
  { key: "ArrowUp", say: "up", mark: "↑", name: "play.up" },
  { key: "ArrowDown", say: "down", mark: "↓", name: "play.down" },
  { key: " ", say: "space", mark: "␣", name: "play.space" },
] as const;
const FIRST = "a red ball rolls to the right on grass";

/** A world that runs: what is said to it is seen a moment later. */
export default function Play() {
  const t = useWords();
  const explain = useExplain();
  const [prompt, setPrompt] = useStored("play", FIRST);
  const play = usePlay();
  const model = useModel(null)?.worldreel;
  const begin = (event: FormEvent) => {
    event.preventDefault();
    if (prompt.trim()) play.begin(prompt.trim());
  };
  if (model && !model.plays)
    return (
      <Notice icon="world" title={t("play.unable")}>
        {t("play.unable.do", { model: model.model })}
      </Notice>
    );
  if (play.running) return <World running={play.running} onEnd={play.end} />;
  return (
    <form
      onSubmit={begin}
      className="mx-auto grid h-full max-w-xl content-center justify-items-center gap-5 overflow-y-auto p-6 text-center"
    >
      <Icon name="world" className="text-[2.6rem] text-lamp-ink" />
      <h1 className="script text-hero">{t("play.title")}</h1>
      <p className="text-soft">{t("play.text")}</p>
      <textarea
        aria-label={t("play.begin")}
        rows={2}
        value={prompt}
        maxLength={32000}
        onChange={(event) => setPrompt(event.target.value)}
        onKeyDown={(event) =>
          event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing && begin(event)
        }
        className="field script w-full resize-none text-lead"
      />
      <Button
        type="submit"
        look="lamp"
        icon={play.beginning ? "clock" : "play"}
        disabled={play.beginning || !prompt.trim()}
        className="min-w-36"
      >
        {t("play.start")}
      </Button>
      {play.ended && (
        <p role="status" className="text-soft">
          {t(`play.ended.${play.ended}`)}
        </p>
      )}
      {play.problem !== null && (
        <p role="alert" className="text-bad">
          {typeof play.problem === "string" ? play.problem : explain(play.problem)}
        </p>
      )}
    </form>
  );
}

function World({ running, onEnd }: { running: Running; onEnd: () => void }) {
  const t = useWords();
  const numbers = useNumbers();
  const [words, setWords] = useState("");
  const { play, canvas, shown, say, save, saved, problem } = running;
  const explain = useExplain();
  const [width = 1, height = 1] = play.size.split("x").map(Number);

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
      const way = CAMERA.find((one) => one.key === event.key);
      if (
        event.key === " " &&
        event.target instanceof HTMLElement &&
        /^(BUTTON|A)$/.test(event.target.tagName)
      )
        return;
      const key = way?.say ?? (/^[1-9c]$/.test(event.key) ? event.key : null);
      if (!key) return;
      event.preventDefault();
      say({ key });
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [say]);

  const speak = (event: FormEvent) => {
    event.preventDefault();
    if (!words.trim()) return;
    say({ prompt: words.trim() });
    setWords("");
  };
  const rate = shown.speed === null ? null : Math.min(shown.fps, shown.fps * shown.speed);
  return (
    <div className="mx-auto flex h-full max-w-4xl flex-col gap-3 overflow-y-auto p-3 sm:p-5">
      <header className="flex items-center gap-2">
        <IconButton icon="close" label={t("play.end")} onClick={onEnd} />
        <h1 className="script min-w-0 flex-1 truncate text-lead" title={shown.prompt}>
          {shown.prompt}
        </h1>
        <output className="timecode shrink-0 text-right text-soft" aria-label={t("play.rate")}>
          {rate === null
            ? t("play.loading")
            : t("play.fps", { n: numbers.plain(rate), of: shown.fps })}
          {shown.delay_ms !== null && <> · {t("play.delay", { ms: Math.round(shown.delay_ms) })}</>}
        </output>
      </header>
      <div
        className="relative mx-auto w-full overflow-hidden rounded-2xl bg-black"
        style={{ aspectRatio: `${width} / ${height}`, maxWidth: `calc(58dvh * ${width / height})` }}
      >
        <canvas
          ref={canvas}
          width={width}
          height={height}
          role="img"
          aria-label={t("play.picture", { prompt: shown.prompt })}
          className="size-full"
        />
        {shown.number < 0 && (
          <span
            role="status"
            className="absolute inset-0 grid animate-breathe place-items-center text-white"
          >
            {t("play.loading")}
          </span>
        )}
      </div>
      <form onSubmit={speak} className="flex gap-2">
        <input
          aria-label={t("play.next")}
          placeholder={t("play.next")}
          value={words}
          maxLength={32000}
          onChange={(event) => setWords(event.target.value)}
          className="field script min-h-11 min-w-0 flex-1 rounded-full px-4 text-lead"
        />
        <Button type="submit" look="lamp" className="min-h-11">
          {t("play.say")}
        </Button>
      </form>
      <fieldset aria-label={t("play.camera")} className="flex flex-wrap gap-1.5">
        {CAMERA.map((way) => (
          <Button key={way.say} title={play.camera[way.say]} onClick={() => say({ key: way.say })}>
            <kbd>{way.mark}</kbd> {t(way.name)}
          </Button>
        ))}
        <Button onClick={() => say({ key: "c" })}>
          <kbd>c</kbd> {t("play.cut")}
        </Button>
        {play.actions.map((action) => (
          <Button key={action} onClick={() => say({ key: action })}>
            {action}
          </Button>
        ))}
        <Button icon="save" className="ml-auto" onClick={save}>
          {t("play.save")}
        </Button>
      </fieldset>
      {saved && (
        <p role="status" className="text-small text-good">
          {t("play.saved")}{" "}
          <a href={href({ view: "video", id: saved })} className="underline underline-offset-4">
            {t("show")}
          </a>
        </p>
      )}
      {problem !== null && (
        <p role="alert" className="text-small text-bad">
          {explain(problem)}
        </p>
      )}
      <details className="text-small text-soft">
        <summary className="rounded">{t("play.scenes")}</summary>
        <ol lang="en" className="grid gap-1 pt-2">
          {play.scenes.map((scene, at) => (
            <li key={scene}>
              <button
                type="button"
                className="rounded text-left hover:text-ink"
                onClick={() => say({ key: String(at + 1) })}
              >
                <kbd>{at + 1}</kbd> <span className="script">{scene}</span>
              </button>
            </li>
          ))}
        </ol>
        {play.actions.length === 0 && (
          <p className="pt-2">{t("play.noactions", { model: play.model })}</p>
        )}
      </details>
    </div>
  );
}
