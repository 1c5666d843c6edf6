import { Toast } from "@base-ui/react/toast";
import { type ReactNode, useMemo } from "react";
import { Icon } from "../parts/Icon";
import { useWords } from "../words/words";
import { useExplain } from "./explain";

const SHOWN_MS = 6000;
const PROBLEM_MS = 12_000;

/** Where short messages come up; one clicks through them, so that they are in nobody's way. */
export function Notices({ children }: { children: ReactNode }) {
  const t = useWords();
  return (
    <Toast.Provider timeout={SHOWN_MS} limit={3}>
      {children}
      <Toast.Portal>
        <Toast.Viewport
          aria-label={t("notices")}
          className="pointer-events-none fixed inset-x-4 top-3 z-60 mx-auto grid max-w-80 gap-2"
        >
          <Shown />
        </Toast.Viewport>
      </Toast.Portal>
    </Toast.Provider>
  );
}

function Shown() {
  const { toasts } = Toast.useToastManager();
  return toasts.map((toast) => (
    <Toast.Root
      key={toast.id}
      toast={toast}
      className="flex animate-enter items-start gap-3 rounded-2xl border border-line bg-lift px-4 py-2 shadow-lift data-ending-style:opacity-0 data-limited:hidden"
    >
      <Icon
        name={toast.type === "bad" ? "alert" : "check"}
        className={`mt-1.5 ${toast.type === "bad" ? "text-bad" : "text-good"}`}
      />
      <Toast.Content className="min-w-0 flex-1 py-1">
        <Toast.Title className="text-body break-words" render={<p />} />
        {toast.actionProps && (
          <Toast.Action className="pointer-events-auto pt-1 font-semibold text-lamp-ink underline-offset-4 hover:underline" />
        )}
      </Toast.Content>
    </Toast.Root>
  ));
}

type Telling = {
  said: (text: string, action?: { label: string; act: () => void }) => void;
  problem: (error: unknown) => void;
};

export function useTell(): Telling {
  const { add } = Toast.useToastManager();
  const explain = useExplain();
  return useMemo(
    () => ({
      said: (title, action) => {
        add({
          title,
          ...(action && { actionProps: { children: action.label, onClick: action.act } }),
        });
      },
      problem: (error) => {
        add({ title: explain(error), type: "bad", timeout: PROBLEM_MS, priority: "high" });
      },
    }),
    [add, explain],
  );
}
