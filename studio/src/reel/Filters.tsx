import { useEffect, useRef, useState } from "react";
import { useFolders, useModels, useServer } from "../api/server";
import { useVideoActs } from "../api/videos";
import { onCommand } from "../app/commands";
import { useTell } from "../app/Notices";
import { Button, IconButton } from "../parts/Button";
import { Picker, Segments } from "../parts/Choice";
import { Icon } from "../parts/Icon";
import { useCount, useWords } from "../words/words";
import { Folders } from "./Folders";
import type { Shown } from "./shown";

type FiltersProps = { shown: Shown; onChange: (shown: Shown) => void; total: number | null };

const TYPING_MS = 200;

/** Search by words, and what else narrows the reel. */
export function Filters({ shown, onChange, total }: FiltersProps) {
  const t = useWords();
  const count = useCount();
  const { data: models } = useModels();
  const { data: folders } = useFolders();
  const [arranging, arrange] = useState(false);
  const sizes = [
    ...new Set(
      models?.flatMap((model) => model.worldreel.size.trained.map((size) => size.join("x"))) ?? [],
    ),
  ];
  if (shown.size && !sizes.includes(shown.size)) sizes.push(shown.size);
  return (
    <search className="flex flex-wrap items-center gap-2 py-3">
      <Words shown={shown} onChange={onChange} />
      <Segments
        label={t("filter.what")}
        value={shown.what}
        options={(["all", "favourite", "picked", "living", "failed"] as const).map((value) => ({
          value,
          label: t(`filter.${value}`),
        }))}
        onChange={(what) => onChange({ ...shown, what })}
        className="max-w-full flex-nowrap overflow-x-auto"
      />
      <Picker
        label={t("filter.folder")}
        value={shown.folder}
        options={[
          { value: "", label: t("folder.all") },
          { value: "none", label: t("folder.none") },
          ...(folders ?? []).map((folder) => ({
            value: folder.id,
            label: `${folder.name} (${folder.num_videos})`,
          })),
        ]}
        onChange={(folder) => onChange({ ...shown, folder })}
      />
      <IconButton icon="folder" label={t("folder.arrange")} onClick={() => arrange(true)} />
      {models && models.length > 1 && (
        <Picker
          label={t("knob.model")}
          value={shown.model}
          options={[
            { value: "", label: t("model.all") },
            ...models.map((model) => ({ value: model.id, label: model.id })),
          ]}
          onChange={(model) => onChange({ ...shown, model })}
        />
      )}
      {sizes.length > 0 && (
        <Picker
          label={t("knob.size")}
          value={shown.size}
          options={[
            { value: "", label: t("size.all") },
            ...sizes.map((size) => ({ value: size, label: size.replace("x", "×") })),
          ]}
          onChange={(size) => onChange({ ...shown, size })}
        />
      )}
      <CancelAll />
      <output className="timecode ml-auto text-faint">
        {total !== null && count("results", total)}
      </output>
      <Folders open={arranging} onClose={() => arrange(false)} />
    </search>
  );
}

function Words({ shown, onChange }: Pick<FiltersProps, "shown" | "onChange">) {
  const t = useWords();
  const field = useRef<HTMLInputElement>(null);
  const [text, setText] = useState(shown.q);
  useEffect(() => onCommand("search", () => field.current?.focus()), []);
  useEffect(() => setText(shown.q), [shown.q]);
  useEffect(() => {
    if (text === shown.q) return;
    const timer = setTimeout(() => onChange({ ...shown, q: text }), TYPING_MS);
    return () => clearTimeout(timer);
  }, [text, shown, onChange]);
  return (
    <label className="relative flex min-w-44 flex-1 items-center sm:max-w-xs">
      <Icon name="search" className="pointer-events-none absolute left-3 text-soft" />
      <input
        ref={field}
        type="search"
        value={text}
        aria-label={t("search")}
        placeholder={t("search")}
        onChange={(event) => setText(event.target.value)}
        className="field min-h-9 w-full rounded-full py-1 pl-9"
      />
    </label>
  );
}

function CancelAll() {
  const t = useWords();
  const tell = useTell();
  const acts = useVideoActs();
  const { data: server } = useServer();
  if (!server || server.queue.waiting === 0) return null;
  const cancel = () => acts.cancel({ all: true }).catch(tell.problem);
  return (
    <Button look="quiet" icon="close" onClick={cancel}>
      {t("cancel.all")}
    </Button>
  );
}
