import { useState } from "react";
import { type Brought, thumbnailOfFile } from "../api/files";
import { command } from "../app/commands";
import { useTell } from "../app/Notices";
import { go } from "../app/route";
import { changeWish, givenOf, wishOf } from "../composer/wish";
import { Button } from "../parts/Button";
import { Sheet } from "../parts/Sheet";
import { useNumbers, useWords } from "../words/words";
import { Playing } from "./Stage";
import { VerbPanel } from "./VerbPanel";
import { VerbPicker } from "./VerbPicker";
import { type Draft, type EditVerb, newDraft, subjectOfFile } from "./verbs";

/** What can become of a picture or clip that was brought along. */
export default function BroughtSheet({
  brought,
  onClose,
}: {
  brought: Brought;
  onClose: () => void;
}) {
  const t = useWords();
  const tell = useTell();
  const numbers = useNumbers();
  const subject = subjectOfFile(brought);
  const { settings } = brought;
  const [verb, setVerb] = useState<EditVerb | null>(null);
  const [draft, setDraft] = useState<Draft>(() => newDraft(subject));
  const change = (part: Partial<Draft>) => setDraft((before) => ({ ...before, ...part }));
  const still = brought.kind === "picture";
  const given = givenOf(brought);

  const compose = (part: Parameters<typeof changeWish>[0]) => {
    changeWish({ still: false, ...part });
    go({ view: "reel" });
    onClose();
    requestAnimationFrame(() => command("compose"));
  };
  return (
    <Sheet
      open
      onClose={onClose}
      title={t(settings.settings ? "brought.ours" : still ? "brought.picture" : "brought.clip")}
      wide
    >
      <div className="grid gap-5 sm:grid-cols-2">
        <div className="grid content-start gap-3">
          {still ? (
            <img
              src={thumbnailOfFile(brought.file_id)}
              alt={brought.name}
              className="w-full rounded-2xl bg-card object-contain"
            />
          ) : (
            <Playing
              file={subject.file}
              poster={subject.thumbnail}
              name={brought.name}
              width={subject.width}
              height={subject.height}
              fps={subject.fps}
              count={settings.num_frames}
              verb={verb}
              draft={draft}
              change={change}
            />
          )}
          <p className="timecode text-faint">
            {settings.width}×{settings.height}
            {!still &&
              ` · ${numbers.span(settings.seconds)} · ${t("knob.frames", { n: settings.num_frames, fps: numbers.plain(subject.fps) })}`}
          </p>
        </div>
        <div className="grid content-start gap-3">
          {settings.settings && (
            <div className="grid gap-2 rounded-2xl border border-line bg-card p-3">
              <p className="text-small text-soft">{t("brought.ours.why")}</p>
              <p className="script">{subject.prompt}</p>
              {settings.body && (
                <Button
                  look="lamp"
                  icon="reuse"
                  onClick={() => {
                    if (settings.body) compose(wishOf(settings.body));
                    tell.said(t("reuse.done"));
                  }}
                >
                  {t("reuse")}
                </Button>
              )}
            </div>
          )}
          <div className="flex flex-wrap gap-2">
            <Button
              look={still ? "lamp" : "plain"}
              icon="image"
              onClick={() => compose({ first: given })}
            >
              {t(still ? "brought.animate" : "use.first")}
            </Button>
            <Button onClick={() => compose({ last: given })}>{t("use.last")}</Button>
          </div>
          <VerbPicker verb={verb} still={still} model={null} onPick={setVerb} />
          {verb && (
            <VerbPanel key={verb} verb={verb} subject={subject} draft={draft} change={change} />
          )}
        </div>
      </div>
    </Sheet>
  );
}
