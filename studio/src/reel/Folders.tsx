import { type FormEvent, useState } from "react";
import { useFolderActs, useFolders } from "../api/server";
import { useTell } from "../app/Notices";
import { Button, IconButton } from "../parts/Button";
import { Sheet } from "../parts/Sheet";
import { useCount, useWords } from "../words/words";

/** Makes, renames and removes folders; the videos in them stay. */
export function Folders({ open, onClose }: { open: boolean; onClose: () => void }) {
  const t = useWords();
  const tell = useTell();
  const count = useCount();
  const acts = useFolderActs();
  const { data: folders } = useFolders();
  const [name, setName] = useState("");
  const make = (event: FormEvent) => {
    event.preventDefault();
    if (!name.trim()) return;
    acts.make.mutate(name.trim(), { onSuccess: () => setName(""), onError: tell.problem });
  };
  return (
    <Sheet open={open} onClose={onClose} title={t("folder.arrange")}>
      <form onSubmit={make} className="flex gap-2">
        <input
          aria-label={t("folder.name")}
          placeholder={t("folder.name")}
          value={name}
          maxLength={80}
          onChange={(event) => setName(event.target.value)}
          className="field flex-1"
        />
        <Button type="submit" look="lamp" icon="plus">
          {t("folder.make")}
        </Button>
      </form>
      <ul className="mt-4 grid gap-1">
        {folders?.map((folder) => (
          <li key={folder.id} className="flex items-center gap-2">
            <input
              aria-label={t("folder.rename", { name: folder.name })}
              defaultValue={folder.name}
              maxLength={80}
              onBlur={(event) => {
                const now = event.target.value.trim();
                if (now && now !== folder.name)
                  acts.rename.mutate({ id: folder.id, name: now }, { onError: tell.problem });
              }}
              className="field flex-1"
            />
            <span className="timecode text-faint">{count("results", folder.num_videos)}</span>
            <IconButton
              icon="trash"
              label={t("remove.what", { what: folder.name })}
              onClick={() => acts.remove.mutate(folder.id, { onError: tell.problem })}
            />
          </li>
        ))}
      </ul>
      {folders?.length === 0 && <p className="pt-4 text-soft">{t("folder.empty")}</p>}
    </Sheet>
  );
}
