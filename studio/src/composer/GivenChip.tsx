import { Icon } from "../parts/Icon";
import { useWords } from "../words/words";
import type { Given } from "./wish";

/** A picture or clip that is given, with what it is for. */
export function GivenChip({
  given,
  role,
  onRemove,
}: {
  given: Given;
  role: string;
  onRemove?: () => void;
}) {
  const t = useWords();
  return (
    <span className="inline-flex max-w-full animate-enter items-center gap-2 rounded-xl border border-line bg-card py-1 pr-1 pl-1 text-small">
      <img src={given.thumbnail} alt="" className="size-9 rounded-lg bg-lift object-cover" />
      <span className="min-w-0 pr-1">
        <span className="block text-tiny text-faint">{role}</span>
        <span className="block max-w-44 truncate">{given.name}</span>
      </span>
      {onRemove && (
        <button
          type="button"
          onClick={onRemove}
          aria-label={t("remove.what", { what: given.name })}
          className="grid size-7 place-items-center rounded-full text-soft hover:bg-lift hover:text-ink"
        >
          <Icon name="close" />
        </button>
      )}
    </span>
  );
}
