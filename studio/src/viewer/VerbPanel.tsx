import { type FormEvent, useState } from "react";
import { useEstimate, useMake } from "../api/making";
import { useModel } from "../api/server";
import { useTell } from "../app/Notices";
import { go } from "../app/route";
import { Cost } from "../composer/Cost";
import { Button, IconButton } from "../parts/Button";
import { Segments } from "../parts/Choice";
import { Icon } from "../parts/Icon";
import { Strip } from "../parts/Strip";
import { useCount, useWords } from "../words/words";
import { canvasOf } from "./canvasOf";
import { VerbFields } from "./VerbFields";
import { bodyOfVerb, type Draft, type EditVerb, type Subject } from "./verbs";

type VerbPanelProps = {
  verb: EditVerb;
  subject: Subject;
  draft: Draft;
  change: (part: Partial<Draft>) => void;
  onClose?: () => void;
};

/** The form of a verb: its canvas, its few settings, what it costs, Run. */
export function VerbPanel({ verb, subject, draft, change, onClose }: VerbPanelProps) {
  const t = useWords();
  const count = useCount();
  const tell = useTell();
  const make = useMake();
  const [sending, setSending] = useState(false);
  const model = useModel(subject.model)?.worldreel;
  const body = bodyOfVerb(verb, subject, draft);
  const estimate = useEstimate(body);
  const needsWords = verb === "edit" || verb === "replace";

  const run = async (event: FormEvent) => {
    event.preventDefault();
    if (!body) return;
    setSending(true);
    try {
      const made = await make(body);
      const [first] = made;
      tell.said(count("started", made.length), {
        label: t("show"),
        act: () =>
          go(made.length === 1 && first ? { view: "video", id: first.id } : { view: "reel" }),
      });
    } catch (error) {
      tell.problem(error);
    } finally {
      setSending(false);
    }
  };
  return (
    <form
      onSubmit={run}
      aria-label={t(`verb.${verb}`)}
      className="grid animate-enter gap-4 rounded-2xl border border-line bg-wall p-4"
    >
      <header className="flex items-start justify-between gap-2">
        <div>
          <h2 className="script text-lead">{t(`verb.${verb}`)}</h2>
          <p className="text-small text-soft">{t(`verb.${verb}.why`)}</p>
        </div>
        {onClose && <IconButton icon="close" label={t("close")} onClick={onClose} />}
      </header>
      <Strip stretches={canvasOf(verb, subject, draft)} label={t("canvas.label")} />
      <label className="grid gap-1.5 text-small text-soft">
        {t(needsWords ? "words" : "words.optional")}
        <textarea
          rows={3}
          value={draft.prompt}
          maxLength={32000}
          required={needsWords || !subject.prompt}
          onChange={(event) => change({ prompt: event.target.value })}
          className="field script resize-none text-body text-ink"
        />
      </label>
      {model && (
        <VerbFields verb={verb} subject={subject} draft={draft} change={change} model={model} />
      )}
      <Segments
        label={t("knob.takes")}
        value={draft.takes}
        options={[1, 2, 3, 4].map((value) => ({ value, label: count("takes", value) }))}
        onChange={(takes) => change({ takes })}
      />
      <div className="grid gap-2">
        <Cost estimate={estimate} asked={body !== null} />
        <Button type="submit" look="lamp" disabled={!body || sending} className="w-full">
          <Icon name={sending ? "clock" : "play"} />
          {t("run")}
        </Button>
      </div>
    </form>
  );
}
