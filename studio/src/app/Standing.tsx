import { useLink } from "../api/link";
import { useModels, useServer } from "../api/server";
import { Banner } from "../parts/Notice";
import { useWords } from "../words/words";
import { href } from "./route";

const DISK_LOW_BYTES = 256 * 2 ** 20;

/** What the whole studio should know: no server, no model, no worker, no disk. */
export function Standing() {
  const t = useWords();
  const link = useLink();
  const { data: server } = useServer();
  const { data: models } = useModels();
  if (link === "gone") return <Banner tone="bad">{t("problem.gone")}</Banner>;
  const settings = (
    <a href={href({ view: "settings" })} className="font-semibold underline underline-offset-4">
      {t("nav.settings")}
    </a>
  );
  if (server && server.disk.free_bytes < DISK_LOW_BYTES)
    return (
      <Banner tone="bad" action={settings}>
        {t("problem.disk")}
      </Banner>
    );
  if (models && !models.some((model) => model.worldreel.installed))
    return (
      <Banner tone="warn" action={settings}>
        {t("standing.nomodel")}
      </Banner>
    );
  if (server && server.workers === 0) return <Banner tone="warn">{t("standing.noworker")}</Banner>;
  return null;
}
