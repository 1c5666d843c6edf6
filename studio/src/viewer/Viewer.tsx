import { useEffect, useRef, useState } from "react";
import { usePreview } from "../api/events";
import type { Video } from "../api/types";
import { useVideo, useVideoActs } from "../api/videos";
import { useExplain, useExplainFailure } from "../app/explain";
import { useTell } from "../app/Notices";
import { go } from "../app/route";
import { isTyping } from "../app/shortcuts";
import { readStored, writeStored } from "../app/stored";
import { Button, IconButton } from "../parts/Button";
import { Frame, sidesOf } from "../parts/Frame";
import { Notice } from "../parts/Notice";
import { useMakeAgain } from "../reel/Failed";
import { useStanding } from "../reel/InTheMaking";
import { useWords } from "../words/words";
import { Facts } from "./Facts";
import { LineageTree } from "./LineageTree";
import { Stage } from "./Stage";
import { Takes } from "./Takes";
import { VerbPanel } from "./VerbPanel";
import { VerbPicker } from "./VerbPicker";
import { type Draft, type EditVerb, newDraft, subjectOfVideo } from "./verbs";

/** One video, large: playing it, what it is, where it came from, what can become of it. */
export default function Viewer({ id }: { id: string }) {
  const t = useWords();
  const explain = useExplain();
  const video = useVideo(id);
  if (video.isPending) return null;
  if (video.isError && !video.data)
    return (
      <Notice
        icon="alert"
        title={t("viewer.missing")}
        action={<Button onClick={() => go({ view: "reel" })}>{t("nav.reel")}</Button>}
      >
        {explain(video.error)}
      </Notice>
    );
  return <Shown key={video.data.status === "completed" ? "done" : "making"} video={video.data} />;
}

/** The verb that was chosen on the wall for this video; it is taken once. */
function takeVerb(): EditVerb | null {
  const verb = readStored<EditVerb | null>("verb", null);
  if (verb) writeStored("verb", null);
  return verb;
}

function Shown({ video }: { video: Video }) {
  const t = useWords();
  const tell = useTell();
  const acts = useVideoActs();
  const done = video.status === "completed";
  const subject = subjectOfVideo(video);
  const [verb, setVerb] = useState<EditVerb | null>(() =>
    done ? readStored<EditVerb | null>("verb", null) : null,
  );
  const [draft, setDraft] = useState<Draft>(() => ({ ...newDraft(subject), second: readSecond() }));
  const { favourite, picked } = video.worldreel;
  const frame = useRef<HTMLDivElement>(null);

  useEffect(() => {
    if (done) takeVerb();
    writeStored("second", null);
  }, [done]);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "Escape") verb ? setVerb(null) : go({ view: "reel" });
      if (event.key === "f") acts.mark([video.id], { favourite: !favourite }).catch(tell.problem);
      if (event.key === "p") acts.mark([video.id], { picked: !picked }).catch(tell.problem);
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  });

  const change = (part: Partial<Draft>) => setDraft((before) => ({ ...before, ...part }));
  return (
    <div
      ref={frame}
      className="grid h-full content-start gap-4 overflow-y-auto p-3 sm:p-5 lg:grid-cols-[minmax(0,1fr)_minmax(20rem,26rem)] lg:overflow-hidden"
    >
      <section className="flex min-w-0 flex-col gap-3 lg:h-[calc(100dvh-2.5rem)] lg:overflow-y-auto">
        <header className="flex items-start gap-2">
          <IconButton
            icon="left"
            label={t("back")}
            keys="Esc"
            onClick={() => go({ view: "reel" })}
          />
          <h1 className="script min-w-0 flex-1 pt-1.5 text-lead break-words">
            {video.prompt ?? t("untitled")}
          </h1>
          {done && (
            <>
              <IconButton
                icon="star"
                label={t("favourite")}
                keys="f"
                filled={favourite}
                aria-pressed={favourite}
                onClick={() => acts.mark([video.id], { favourite: !favourite }).catch(tell.problem)}
              />
              <Button
                icon="check"
                aria-pressed={picked}
                onClick={() => acts.mark([video.id], { picked: !picked }).catch(tell.problem)}
              >
                {t(picked ? "picked" : "pick")}
              </Button>
            </>
          )}
        </header>
        {done ? (
          <Stage video={video} verb={verb} draft={draft} change={change} />
        ) : (
          <NotYet video={video} />
        )}
        <Takes video={video} />
      </section>
      <aside
        className="grid content-start gap-4 lg:h-[calc(100dvh-2.5rem)] lg:overflow-y-auto lg:pr-1"
        aria-label={t("viewer.aside")}
      >
        {done && (
          <VerbPicker
            verb={verb}
            still={video.worldreel.verb === "image"}
            model={video.worldreel.model}
            onPick={setVerb}
          />
        )}
        {done && verb && (
          <VerbPanel
            key={verb}
            verb={verb}
            subject={subject}
            draft={draft}
            change={change}
            onClose={() => setVerb(null)}
          />
        )}
        <Facts video={video} />
        <LineageTree id={video.id} />
      </aside>
    </div>
  );
}

function readSecond() {
  const second = readStored<string | null>("second", null);
  return second ? { video_id: second } : null;
}

/** In place of the player, while there is nothing to play. */
function NotYet({ video }: { video: Video }) {
  const t = useWords();
  const tell = useTell();
  const acts = useVideoActs();
  const again = useMakeAgain();
  const standing = useStanding()(video);
  const picture = usePreview(video.id);
  const failure = useExplainFailure()(video.error ?? { code: "", message: "" });
  if (video.status === "failed")
    return (
      <Notice
        icon="alert"
        title={failure.what}
        action={
          <span className="flex gap-2">
            <Button
              look="lamp"
              icon="reuse"
              onClick={() => again(video).then(() => go({ view: "reel" }))}
            >
              {t("again")}
            </Button>
            <Button
              icon="trash"
              onClick={() => acts.remove([video.id]).then(() => go({ view: "reel" }), tell.problem)}
            >
              {t("delete")}
            </Button>
          </span>
        }
      >
        {failure.remedy}
      </Notice>
    );
  const [width, height] = sidesOf(video.size);
  return (
    <div className="grid min-h-0 justify-items-center gap-3">
      <Frame width={width} height={height} share={56}>
        {picture && (
          <img src={picture} alt={t("card.preview")} className="size-full object-cover" />
        )}
      </Frame>
      <p className="timecode" role="status">
        {standing}
      </p>
      <div className="h-1.5 w-full max-w-md overflow-hidden rounded-full bg-card">
        <div
          className="h-full bg-lamp transition-[width] duration-300"
          style={{ width: `${video.progress}%` }}
        />
      </div>
      <Button
        icon="close"
        onClick={() => acts.cancel({ video_ids: [video.id] }).catch(tell.problem)}
      >
        {t("cancel")}
      </Button>
    </div>
  );
}
