import { useModel } from "../api/server";
import { Icon } from "../parts/Icon";
import { useWords } from "../words/words";
import { type EditVerb, VERBS } from "./verbs";

type VerbPickerProps = {
  verb: EditVerb | null;
  still: boolean;
  model: string | null;
  onPick: (verb: EditVerb | null) => void;
};

const FOR_STILLS: readonly EditVerb[] = ["extend", "edit", "erase", "replace", "expand", "upscale"];

/** What can become of a video; what the model cannot do is there, and says so. */
export function VerbPicker({ verb, still, model, onPick }: VerbPickerProps) {
  const t = useWords();
  const facts = useModel(model)?.worldreel;
  const able = !facts || facts.takes.includes("clip") || facts.takes.includes("mask");
  const verbs = still ? VERBS.filter((one) => FOR_STILLS.includes(one.name)) : VERBS;
  return (
    <section aria-label={t("verbs")}>
      <ul className="grid grid-cols-5 gap-1">
        {verbs.map((one) => (
          <li key={one.name}>
            <button
              type="button"
              aria-pressed={verb === one.name}
              disabled={!able}
              title={able ? undefined : t("verbs.unable", { model: facts?.model ?? "" })}
              onClick={() => onPick(verb === one.name ? null : one.name)}
              className="grid w-full justify-items-center gap-1 rounded-xl border border-transparent px-1 py-2 text-tiny text-soft transition-colors hover:bg-lift hover:text-ink disabled:opacity-45 aria-pressed:border-lamp aria-pressed:bg-glow aria-pressed:text-ink"
            >
              <Icon name={one.icon} className="text-[1.05rem]" />
              <span className="max-w-full truncate">{t(`verb.${one.name}`)}</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
