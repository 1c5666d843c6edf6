import { Menu as Base } from "@base-ui/react/menu";
import { Fragment } from "react";
import { Icon, type IconName } from "./Icon";

export type MenuItem = {
  label: string;
  icon: IconName;
  act: () => void;
  bad?: boolean;
  disabled?: boolean;
};

type MenuProps = { label: string; groups: MenuItem[][]; tab?: number; className?: string };

/** Three dots, and what is behind them. */
export function Menu({ label, groups, tab, className = "" }: MenuProps) {
  const filled = groups.filter((group) => group.length > 0);
  return (
    <Base.Root>
      <Base.Trigger
        aria-label={label}
        tabIndex={tab}
        className={`grid size-8 place-items-center rounded-full text-soft transition-opacity hover:bg-lift hover:text-ink data-popup-open:opacity-100 ${className}`}
      >
        <Icon name="more" className="[stroke-width:2.6]" />
      </Base.Trigger>
      <Base.Portal>
        <Base.Positioner sideOffset={6} align="end" collisionPadding={8} className="z-50">
          <Base.Popup className="max-h-[70dvh] min-w-44 animate-enter overflow-y-auto rounded-2xl border border-line bg-wall p-1.5 shadow-lift outline-none">
            {filled.map((group, at) => (
              <Fragment key={group[0]?.label}>
                {at > 0 && <Base.Separator className="mx-2 my-1 h-px bg-line" />}
                {group.map((item) => (
                  <Base.Item
                    key={item.label}
                    disabled={item.disabled}
                    onClick={item.act}
                    className={`flex min-h-9 items-center gap-3 rounded-xl px-3 text-small outline-none data-disabled:opacity-45 data-highlighted:bg-lift ${item.bad ? "text-bad" : ""}`}
                  >
                    <Icon name={item.icon} className={item.bad ? "" : "text-soft"} />
                    {item.label}
                  </Base.Item>
                ))}
              </Fragment>
            ))}
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}
