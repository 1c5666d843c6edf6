import { useQueryClient } from "@tanstack/react-query";
import { useFolders } from "../api/server";
import type { Video } from "../api/types";
import { dropVideos, fileOf, useVideoActs } from "../api/videos";
import { useTell } from "../app/Notices";
import { go } from "../app/route";
import { useReuse } from "../composer/reuse";
import { changeWish, givenVideo } from "../composer/wish";
import { Button } from "../parts/Button";
import { Picker } from "../parts/Choice";
import { Icon } from "../parts/Icon";
import { useNumbers, useWords } from "../words/words";

/** What a video is and how it was made, and what one does with it as a whole. */
export function Facts({ video }: { video: Video }) {
  const t = useWords();
  const numbers = useNumbers();
  const tell = useTell();
  const reuse = useReuse();
  const acts = useVideoActs();
  const client = useQueryClient();
  const { data: folders } = useFolders();
  const { worldreel } = video;
  const done = video.status === "completed";
  const still = worldreel.verb === "image";

  const copySeed = async () => {
    try {
      await navigator.clipboard.writeText(String(worldreel.seed));
      tell.said(t("seed.copied", { seed: worldreel.seed }));
    } catch {
      changeWish({ seed: worldreel.seed });
      tell.said(t("seed.taken", { seed: worldreel.seed }));
    }
  };
  const remove = async () => {
    try {
      await acts.remove([video.id]);
      dropVideos(client, [video.id]);
      go({ view: "reel" });
    } catch (error) {
      tell.problem(error);
    }
  };
  const begin = (role: "first" | "last") => {
    changeWish({ [role]: givenVideo(video), still: false });
    go({ view: "reel" });
  };
  const facts: [string, string][] = [
    [t("fact.how"), t(`verb.${worldreel.verb}`)],
    [t("knob.model"), worldreel.model],
    [
      t("knob.size"),
      video.size.replace("x", "×") +
        (worldreel.made_size === video.size ? "" : ` (${worldreel.made_size.replace("x", "×")})`),
    ],
    [
      t("knob.length"),
      `${numbers.span(Number(video.seconds))} · ${t("knob.frames", { n: worldreel.num_frames, fps: numbers.plain(worldreel.fps) })}`,
    ],
    [t("fact.when"), numbers.when(video.created_at)],
    [t("fact.until"), video.expires_at === null ? t("fact.kept") : numbers.when(video.expires_at)],
  ];
  return (
    <section
      aria-label={t("facts")}
      className="grid gap-3 rounded-2xl border border-line bg-wall p-4"
    >
      <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1 text-small">
        {facts.map(([name, value]) => (
          <div key={name} className="contents">
            <dt className="text-faint">{name}</dt>
            <dd className="min-w-0 break-words">{value}</dd>
          </div>
        ))}
        <dt className="text-faint">{t("knob.seed")}</dt>
        <dd>
          <button
            type="button"
            onClick={copySeed}
            className="timecode inline-flex items-center gap-1.5 rounded hover:text-lamp-ink"
          >
            {worldreel.seed} <Icon name="copy" />
            <span className="sr-only">{t("seed.copy")}</span>
          </button>
        </dd>
      </dl>
      {worldreel.notes.length > 0 && (
        <ul lang="en" className="grid gap-1 border-l-2 border-line pl-3 text-small text-soft">
          {worldreel.notes.map((note) => (
            <li key={note}>{note}</li>
          ))}
        </ul>
      )}
      <div className="flex flex-wrap gap-2">
        <Button icon="reuse" onClick={() => reuse(video)}>
          {t("reuse")}
        </Button>
        {done && (
          <>
            <a
              href={fileOf(video.id, still ? "image" : "video")}
              download={`${video.id}.${still ? "png" : "mp4"}`}
              className="inline-flex min-h-9 items-center gap-2 rounded-full border border-line bg-card px-4 hover:border-edge"
            >
              <Icon name="download" /> {t("download")}
            </a>
            <Button icon="image" onClick={() => begin("first")}>
              {t("use.first")}
            </Button>
            <Picker
              label={t("filter.folder")}
              value={worldreel.folder_id ?? ""}
              options={[
                { value: "", label: t("folder.none") },
                ...(folders ?? []).map(({ id, name }) => ({ value: id, label: name })),
              ]}
              onChange={(folder) =>
                acts.mark([video.id], { folder_id: folder || null }).catch(tell.problem)
              }
            />
          </>
        )}
        <Button look="bad" icon="trash" onClick={remove}>
          {t("delete")}
        </Button>
      </div>
    </section>
  );
}
