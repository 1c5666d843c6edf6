import { command } from "../app/commands";
import { changeWish } from "../composer/wish";
import { Icon, Mark } from "../parts/Icon";
import { useWords } from "../words/words";

const IDEAS = ["idea.1", "idea.2", "idea.3", "idea.4", "idea.5", "idea.6"] as const;

/** An empty reel: what this is, and a first idea that is one press away. */
export function Welcome() {
  const t = useWords();
  return (
    <section className="mx-auto grid max-w-2xl animate-enter justify-items-center gap-6 px-2 pt-[9dvh] text-center">
      <Mark className="size-14" />
      <h2 className="script text-hero text-balance">{t("welcome.title")}</h2>
      <p className="max-w-md text-soft">{t("welcome.text")}</p>
      <ul className="grid w-full gap-2 text-left sm:grid-cols-2">
        {IDEAS.map((idea) => (
          <li key={idea}>
            <button
              type="button"
              className="flex w-full items-center gap-3 rounded-2xl border border-line bg-wall px-4 py-3 text-left transition-colors hover:border-edge hover:bg-card"
              onClick={() => {
                changeWish({ prompt: t(idea) });
                command("compose");
              }}
            >
              <Icon name="play" className="text-lamp-ink" />
              <span className="script">{t(idea)}</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
