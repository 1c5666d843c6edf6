import { Dialog } from "@base-ui/react/dialog";
import type { ReactNode } from "react";
import { useWords } from "../words/words";
import { Icon } from "./Icon";

type SheetProps = {
  open: boolean;
  onClose: () => void;
  title: string;
  children: ReactNode;
  wide?: boolean;
};

/** A window over the page: on a phone it comes from below. */
export function Sheet({ open, onClose, title, children, wide = false }: SheetProps) {
  const t = useWords();
  return (
    <Dialog.Root open={open} onOpenChange={(now) => !now && onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="fixed inset-0 z-40 bg-veil" />
        <Dialog.Popup
          className={`fixed inset-x-0 bottom-0 z-50 flex max-h-[92dvh] animate-enter flex-col rounded-t-2xl border border-line bg-wall shadow-lift sm:inset-auto sm:top-1/2 sm:left-1/2 sm:max-h-[88dvh] sm:-translate-1/2 sm:rounded-2xl ${wide ? "sm:w-[min(92vw,58rem)]" : "sm:w-[min(92vw,32rem)]"}`}
        >
          <header className="flex items-center justify-between gap-4 border-b border-line px-5 py-3">
            <Dialog.Title className="script text-lead">{title}</Dialog.Title>
            {/* without a hint: it would come up on opening, and take the first Escape for itself */}
            <Dialog.Close
              aria-label={t("close")}
              className="grid size-9 place-items-center rounded-full text-soft hover:bg-lift hover:text-ink"
            >
              <Icon name="close" />
            </Dialog.Close>
          </header>
          <div className="overflow-y-auto p-5">{children}</div>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
