import { useFolders } from "../api/server";
import type { Video } from "../api/types";
import { useVideoActs } from "../api/videos";
import { useTell } from "../app/Notices";
import { go } from "../app/route";
import { writeStored } from "../app/stored";
import { useReuse } from "../composer/reuse";
import { Menu } from "../parts/Menu";
import { VERBS } from "../viewer/verbs";
import { useWords } from "../words/words";

/** Everything that can be done with a video, from the wall. */
export function CardMenu({ video, tab, shown }: { video: Video; tab: number; shown: boolean }) {
  const t = useWords();
  const tell = useTell();
  const acts = useVideoActs();
  const reuse = useReuse();
  const { data: folders } = useFolders();
  const { folder_id } = video.worldreel;
  const begin = (verb: string) => {
    writeStored("verb", verb);
    go({ view: "video", id: video.id });
  };
  return (
    <Menu
      label={t("more")}
      tab={tab}
      className={`bg-black/65 text-white hover:bg-black/85 hover:text-white ${shown ? "" : "opacity-0 focus-visible:opacity-100 pointer-coarse:opacity-100"}`}
      groups={[
        VERBS.slice(0, 4).map((verb) => ({
          label: t(`verb.${verb.name}`),
          icon: verb.icon,
          act: () => begin(verb.name),
        })),
        [{ label: t("reuse"), icon: "reuse" as const, act: () => reuse(video) }],
        [
          ...(folders ?? []).map((folder) => ({
            label:
              folder_id === folder.id
                ? t("folder.out", { name: folder.name })
                : t("folder.into", { name: folder.name }),
            icon: "folder" as const,
            act: () =>
              acts
                .mark([video.id], { folder_id: folder_id === folder.id ? null : folder.id })
                .catch(tell.problem),
          })),
        ],
        [
          {
            label: t("delete"),
            icon: "trash" as const,
            bad: true,
            act: () => acts.remove([video.id]).catch(tell.problem),
          },
        ],
      ]}
    />
  );
}
