import { lazy, Suspense, useEffect, useRef, useState } from "react";
import { type Brought, upload } from "../api/files";
import { Icon } from "../parts/Icon";
import { useWords } from "../words/words";
import { onCommand } from "./commands";
import { useTell } from "./Notices";

const BroughtSheet = lazy(() => import("../viewer/BroughtSheet"));

/** Takes a picture, a clip or a result of worldreel wherever it is dropped or pasted. */
export function DropZone() {
  const t = useWords();
  const tell = useTell();
  const field = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const [coming, setComing] = useState<string | null>(null);
  const [brought, setBrought] = useState<Brought | null>(null);

  useEffect(() => onCommand("drop", () => field.current?.click()), []);
  useEffect(() => {
    const take = async (file: File) => {
      setComing(file.name);
      try {
        setBrought(await upload(file));
      } catch (error) {
        tell.problem(error);
      } finally {
        setComing(null);
      }
    };
    const holdsFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    const onOver = (event: DragEvent) => {
      if (!holdsFiles(event) || event.defaultPrevented) return;
      event.preventDefault();
      setOver(true);
    };
    const onLeave = (event: DragEvent) => {
      if (event.relatedTarget === null) setOver(false);
    };
    const onDrop = (event: DragEvent) => {
      setOver(false);
      if (!holdsFiles(event) || event.defaultPrevented) return;
      event.preventDefault();
      const [file] = event.dataTransfer?.files ?? [];
      if (file) take(file);
    };
    const onPaste = (event: ClipboardEvent) => {
      const [file] = event.clipboardData?.files ?? [];
      if (file) take(file);
    };
    const input = field.current;
    const onPick = () => {
      const [file] = input?.files ?? [];
      if (file) take(file);
      if (input) input.value = "";
    };
    window.addEventListener("dragover", onOver);
    window.addEventListener("dragleave", onLeave);
    window.addEventListener("drop", onDrop);
    window.addEventListener("paste", onPaste);
    input?.addEventListener("change", onPick);
    return () => {
      window.removeEventListener("dragover", onOver);
      window.removeEventListener("dragleave", onLeave);
      window.removeEventListener("drop", onDrop);
      window.removeEventListener("paste", onPaste);
      input?.removeEventListener("change", onPick);
    };
  }, [tell]);

  return (
    <>
      <input
        ref={field}
        type="file"
        accept="image/*,video/*"
        hidden
        data-testid="drop"
        aria-label={t("drop.choose")}
      />
      {(over || coming) && (
        <div className="pointer-events-none fixed inset-0 z-60 grid animate-enter place-items-center bg-veil p-6">
          <div
            className="grid justify-items-center gap-3 rounded-3xl border-2 border-dashed border-lamp px-12 py-16 text-center"
            role="status"
          >
            <Icon
              name="upload"
              className={`text-[2rem] text-lamp-ink ${coming ? "animate-breathe" : ""}`}
            />
            <p className="script text-title">
              {coming ? t("drop.coming", { name: coming }) : t("drop.here")}
            </p>
            {!coming && <p className="text-soft">{t("drop.what")}</p>}
          </div>
        </div>
      )}
      <Suspense>
        {brought && <BroughtSheet brought={brought} onClose={() => setBrought(null)} />}
      </Suspense>
    </>
  );
}
