import { useFolders } from "../api/server";
import type { Video } from "../api/types";
import { useVideoActs } from "../api/videos";
import { useTell } from "../app/Notices";
import { go } from "../app/route";
import { writeStored } from "../app/stored";
import { Button, IconButton } from "../parts/Button";
import { Menu } from "../parts/Menu";
import { useCount, useWords } from "../words/words";

type SelectionBarProps = { videos: Video[]; selected: ReadonlySet<string>; onClear: () => void };

/** What can be done with the videos that were chosen; it stands where the prompt bar was. */
export function SelectionBar({ videos, selected, onClear }: SelectionBarProps) {
  const t = useWords();
  const tell = useTell();
  const count = useCount();
  const acts = useVideoActs();
  const { data: folders } = useFolders();
  const ids = videos.filter((video) => selected.has(video.id)).map((video) => video.id);
  const [first, second] = ids;
  const pair = ids.length === 2 && first && second;
  const after = (act: Promise<unknown>) => act.then(onClear, tell.problem);
  const blend = () => {
    if (!pair) return;
    writeStored("verb", "connect");
    writeStored("second", second);
    go({ view: "video", id: first });
  };
  return (
    <div
      role="toolbar"
      aria-label={count("selected", ids.length)}
      className="pointer-events-auto mx-auto flex max-w-3xl animate-enter flex-wrap items-center gap-2 rounded-3xl border border-line bg-wall p-2 shadow-lift"
    >
      <span className="px-3">{count("selected", ids.length)}</span>
      <Button
        icon="compare"
        disabled={!pair}
        onClick={() => pair && go({ view: "compare", left: first, right: second })}
      >
        {t("compare")}
      </Button>
      <Button icon="blend" disabled={!pair} onClick={blend}>
        {t("verb.connect")}
      </Button>
      <Button icon="star" onClick={() => after(acts.mark(ids, { favourite: true }))}>
        {t("favourite")}
      </Button>
      {folders && folders.length > 0 && (
        <Menu
          label={t("filter.folder")}
          groups={[
            folders.map((folder) => ({
              label: t("folder.into", { name: folder.name }),
              icon: "folder" as const,
              act: () => void after(acts.mark(ids, { folder_id: folder.id })),
            })),
          ]}
        />
      )}
      <Button look="bad" icon="trash" onClick={() => after(acts.remove(ids))}>
        {t("delete")}
      </Button>
      <IconButton icon="close" label={t("select.none")} className="ml-auto" onClick={onClear} />
    </div>
  );
}
