import { type FormEvent, type KeyboardEvent, useEffect, useRef, useState } from "react";
import { useEstimate, useMake } from "../api/making";
import { useModel } from "../api/server";
import { command, onCommand } from "../app/commands";
import { useTell } from "../app/Notices";
import { Button, IconButton } from "../parts/Button";
import { Icon } from "../parts/Icon";
import { useWords } from "../words/words";
import { Cost } from "./Cost";
import { GivenChip } from "./GivenChip";
import { Knobs } from "./Knobs";
import { bodyOf, useWish } from "./wish";

/** The prompt bar: words and how they are to be made, at the bottom of the reel. */
export function Composer() {
  const t = useWords();
  const tell = useTell();
  const make = useMake();
  const [wish, change] = useWish();
  const [open, setOpen] = useState(false);
  const [sending, setSending] = useState(0);
  const field = useRef<HTMLTextAreaElement>(null);
  const model = useModel(wish.model)?.worldreel;
  const body = bodyOf(wish, model);
  const estimate = useEstimate(body);

  useEffect(() => onCommand("compose", () => field.current?.focus()), []);

  const run = async (event?: FormEvent) => {
    event?.preventDefault();
    if (!body) return field.current?.focus();
    setSending((count) => count + 1);
    try {
      await make(body);
    } catch (error) {
      tell.problem(error);
    } finally {
      setSending((count) => count - 1);
    }
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      run();
    }
    if (event.key === "Escape") field.current?.blur();
  };

  return (
    <form
      onSubmit={run}
      aria-label={t("composer")}
      className="pointer-events-auto mx-auto w-full max-w-3xl rounded-3xl border border-line bg-wall/95 p-2 shadow-lift transition-[border-color] focus-within:border-edge"
    >
      {(wish.first || wish.last) && (
        <div className="flex flex-wrap gap-2 px-2 pt-1 pb-2">
          {wish.first && (
            <GivenChip
              given={wish.first}
              role={t("composer.first")}
              onRemove={() => change({ first: null })}
            />
          )}
          {wish.last && (
            <GivenChip
              given={wish.last}
              role={t("composer.last")}
              onRemove={() => change({ last: null })}
            />
          )}
        </div>
      )}
      <div className="flex items-end gap-2">
        <textarea
          ref={field}
          value={wish.prompt}
          rows={1}
          maxLength={32000}
          aria-label={t("composer.prompt")}
          placeholder={t("composer.placeholder")}
          onChange={(event) => change({ prompt: event.target.value })}
          onKeyDown={onKey}
          className="script field-sizing-content max-h-[38dvh] min-h-11 w-full resize-none rounded-2xl bg-transparent px-3 py-2.5 text-lead outline-none"
        />
        <IconButton
          icon="image"
          label={t("composer.bring")}
          className="mb-1"
          onClick={() => command("drop")}
        />
        <IconButton
          icon="settings"
          label={t("composer.knobs")}
          aria-expanded={open}
          className="mb-1 sm:hidden"
          onClick={() => setOpen(!open)}
        />
        <Button
          type="submit"
          look="lamp"
          aria-disabled={!body}
          className={`mb-1 shrink-0 max-sm:px-3 sm:min-w-24 ${body ? "" : "opacity-60"}`}
        >
          {sending > 0 ? <Icon name="clock" className="animate-breathe" /> : <Icon name="play" />}
          <span className="max-sm:sr-only">{t("run")}</span>
        </Button>
      </div>
      <div className={`${open ? "flex" : "hidden"} flex-wrap items-center gap-1 px-1 pt-1 sm:flex`}>
        <Knobs wish={wish} change={change} model={model} />
        <Cost estimate={estimate} asked={body !== null} />
      </div>
    </form>
  );
}
