import { useAllModels, useServer } from "../api/server";
import { useSession, useSigning } from "../api/session";
import { useTell } from "../app/Notices";
import { THEMES, useTheme } from "../look/theme";
import { Button } from "../parts/Button";
import { Segments } from "../parts/Choice";
import { LANGUAGES, useLanguage, useWords } from "../words/words";
import { Disk } from "./Disk";
import { Keys } from "./Keys";
import { ModelRow } from "./ModelRow";
import { Section } from "./Section";

/** The studio's settings: its look, the models, the disk, the keys. */
export default function Settings() {
  const t = useWords();
  const tell = useTell();
  const [theme, setTheme] = useTheme();
  const [language, setLanguage] = useLanguage();
  const session = useSession();
  const { leave } = useSigning();
  const { data: models } = useAllModels();
  const { data: server } = useServer();
  return (
    <div className="h-full overflow-y-auto">
      <div className="mx-auto grid max-w-3xl gap-8 p-4 pb-16 sm:p-8">
        <h1 className="script text-hero">{t("nav.settings")}</h1>
        <Section title={t("settings.look")}>
          <div className="flex flex-wrap gap-4">
            <Segments
              label={t("settings.theme")}
              value={theme}
              options={THEMES.map((value) => ({ value, label: t(`theme.${value}`) }))}
              onChange={setTheme}
            />
            <Segments
              label={t("settings.language")}
              value={language}
              options={LANGUAGES.map(([value, label]) => ({ value, label }))}
              onChange={setLanguage}
            />
          </div>
        </Section>
        <Section title={t("settings.models")}>
          <ul className="grid gap-2">
            {models?.map((model) => (
              <ModelRow key={model.id} model={model} admin={session.data?.admin ?? false} />
            ))}
          </ul>
        </Section>
        {server && (
          <Section title={t("settings.disk")}>
            <Disk server={server} />
          </Section>
        )}
        {session.data?.admin && (
          <Section title={t("settings.keys")}>
            <Keys />
          </Section>
        )}
        <Section title={t("settings.you")}>
          <div className="flex flex-wrap items-center gap-4">
            <p className="text-soft">
              {t(session.data?.admin ? "settings.admin" : "settings.owner", {
                owner: session.data?.owner ?? "",
              })}
              {server && (
                <span className="timecode block text-faint">worldreel {server.version}</span>
              )}
            </p>
            <Button className="ml-auto" onClick={() => leave().catch(tell.problem)}>
              {t("signout")}
            </Button>
          </div>
        </Section>
      </div>
    </div>
  );
}
