import { Popover } from "@base-ui/react/popover";
import type { ReactNode } from "react";

/** A chip that shows a setting and opens what changes it. */
export function Pocket({
  label,
  shown,
  children,
}: {
  label: string;
  shown: ReactNode;
  children: ReactNode;
}) {
  return (
    <Popover.Root>
      <Popover.Trigger className="inline-flex min-h-8 items-center gap-1.5 rounded-full px-3 text-small text-soft tabular-nums transition-colors hocus:bg-lift hocus:text-ink">
        {shown !== label && <span className="sr-only">{label}: </span>}
        {shown}
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Positioner
          sideOffset={10}
          side="top"
          align="start"
          collisionPadding={12}
          className="z-50"
        >
          <Popover.Popup
            aria-label={label}
            className="max-h-[70dvh] animate-enter overflow-y-auto rounded-2xl border border-line bg-wall p-3 shadow-lift"
          >
            {children}
          </Popover.Popup>
        </Popover.Positioner>
      </Popover.Portal>
    </Popover.Root>
  );
}
