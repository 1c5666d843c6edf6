import { type ChangeEvent, useRef } from "react";
import { useBoardActs, useBoards } from "../api/boards";
import type { Storyboard } from "../api/types";
import { useTell } from "../app/Notices";
import { go } from "../app/route";
import { Button } from "../parts/Button";
import { Picker } from "../parts/Choice";
import { Menu } from "../parts/Menu";
import { useWords } from "../words/words";

/** Which storyboard is open, and its canvas file: saved to disk, loaded from it. */
export function BoardFiles({ kept, name }: { kept: Storyboard; name: string }) {
  const t = useWords();
  const tell = useTell();
  const acts = useBoardActs();
  const { data: boards } = useBoards();
  const field = useRef<HTMLInputElement>(null);

  const begin = async () => {
    try {
      const made = await acts.make({
        name: t("board.untitled"),
        board: { shot: [{ prompt: "", seconds: 2 }] },
      });
      go({ view: "storyboard", id: made.id });
    } catch (error) {
      tell.problem(error);
    }
  };
  const save = async () => {
    try {
      const text = await acts.file(kept.id);
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([text], { type: "application/toml" }));
      link.download = `${name.replace(/[^\p{L}\p{N}]+/gu, "-") || "storyboard"}.toml`;
      link.click();
      URL.revokeObjectURL(link.href);
    } catch (error) {
      tell.problem(error);
    }
  };
  const load = async (event: ChangeEvent<HTMLInputElement>) => {
    const file = event.target.files?.[0];
    event.target.value = "";
    if (!file) return;
    try {
      const made = await acts.make({
        name: file.name.replace(/\.toml$/i, ""),
        toml: await file.text(),
      });
      go({ view: "storyboard", id: made.id });
    } catch (error) {
      tell.problem(error);
    }
  };
  const remove = async () => {
    try {
      await acts.remove(kept.id);
      go({ view: "storyboard", id: null });
    } catch (error) {
      tell.problem(error);
    }
  };
  return (
    <>
      {boards && boards.length > 1 && (
        <Picker
          label={t("board.which")}
          value={kept.id}
          options={boards.map((board) => ({ value: board.id, label: board.name }))}
          onChange={(id) => go({ view: "storyboard", id })}
          className="max-w-44"
        />
      )}
      <Button icon="plus" onClick={begin}>
        {t("board.new")}
      </Button>
      <Menu
        label={t("board.file")}
        groups={[
          [
            { label: t("board.save"), icon: "save", act: save },
            { label: t("board.load"), icon: "open", act: () => field.current?.click() },
          ],
          [{ label: t("delete"), icon: "trash", bad: true, act: remove }],
        ]}
      />
      <input
        ref={field}
        type="file"
        accept=".toml,.json"
        hidden
        data-testid="board-file"
        onChange={load}
      />
    </>
  );
}
