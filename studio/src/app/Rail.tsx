import { Hint } from "../parts/Button";
import { Icon, type IconName, Mark } from "../parts/Icon";
import { useWords } from "../words/words";
import { command } from "./commands";
import { href, type Route } from "./route";

const PLACES: {
  view: "reel" | "storyboard" | "play" | "settings";
  icon: IconName;
  keys: string;
}[] = [
  { view: "reel", icon: "reel", keys: "g r" },
  { view: "storyboard", icon: "board", keys: "g b" },
  { view: "play", icon: "world", keys: "g p" },
  { view: "settings", icon: "settings", keys: "g s" },
];

/** The places of the studio: at the left, on a phone at the bottom. */
export function Rail({ view }: { view: Route["view"] }) {
  const t = useWords();
  const here = view === "video" || view === "compare" ? "reel" : view;
  return (
    <nav
      aria-label={t("nav")}
      className="flex shrink-0 items-center justify-around gap-1 border-line bg-wall px-2 py-1 max-sm:border-t max-sm:pb-[max(0.25rem,env(safe-area-inset-bottom))] sm:w-[5.25rem] sm:flex-col sm:justify-start sm:border-r sm:py-4"
    >
      <a href="#/" aria-label={t("nav.home")} className="rounded-full p-1.5 max-sm:hidden sm:mb-4">
        <Mark className="size-8" />
      </a>
      {PLACES.map((place) => (
        <Hint key={place.view} label={t(`nav.${place.view}`)} keys={place.keys}>
          <a
            href={href(
              place.view === "storyboard" ? { view: "storyboard", id: null } : { view: place.view },
            )}
            aria-current={here === place.view ? "page" : undefined}
            className="grid w-[4.6rem] justify-items-center gap-0.5 rounded-2xl px-1 py-2 text-[0.68rem] text-soft transition-colors hover:bg-lift hover:text-ink aria-[current=page]:bg-lift aria-[current=page]:text-ink"
          >
            <Icon name={place.icon} className="text-[1.05rem]" />
            <span className="max-w-full truncate">{t(`nav.${place.view}`)}</span>
          </a>
        </Hint>
      ))}
      <Hint label={t("help")} keys="?">
        <button
          type="button"
          aria-label={t("help")}
          onClick={() => command("help")}
          className="grid size-10 place-items-center rounded-full text-[1.05rem] text-soft transition-colors hover:bg-lift hover:text-ink max-sm:hidden sm:mt-auto"
        >
          <Icon name="help" />
        </button>
      </Hint>
    </nav>
  );
}
