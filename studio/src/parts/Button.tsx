import { Tooltip } from "@base-ui/react/tooltip";
import type { ComponentProps, ReactElement } from "react";
import { Icon, type IconName } from "./Icon";

type Look = "plain" | "lamp" | "quiet" | "bad";

const LOOKS: Record<Look, string> = {
  plain: "border border-line bg-card hover:border-edge",
  lamp: "bg-lamp text-on-lamp font-semibold hover:brightness-110",
  quiet: "text-soft hover:bg-lift hover:text-ink",
  bad: "border border-line bg-card text-bad hover:border-bad",
};
const SHAPE =
  "inline-flex items-center justify-center gap-2 rounded-full transition-colors duration-150 select-none " +
  "disabled:opacity-50 disabled:cursor-not-allowed aria-pressed:text-lamp-ink aria-pressed:border-lamp";

type ButtonProps = ComponentProps<"button"> & { look?: Look; icon?: IconName };

export function Button({ look = "plain", icon, className = "", children, ...rest }: ButtonProps) {
  return (
    <button type="button" {...rest} className={`${SHAPE} ${LOOKS[look]} min-h-9 px-4 ${className}`}>
      {icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

type IconButtonProps = Omit<ButtonProps, "children"> & {
  label: string;
  icon: IconName;
  keys?: string;
  filled?: boolean;
};

/** A button that shows only a picture; its name and key come on hovering and focus. */
export function IconButton({
  label,
  icon,
  keys,
  filled = false,
  look = "quiet",
  className = "",
  ...rest
}: IconButtonProps) {
  return (
    <Hint label={label} keys={keys}>
      <button
        type="button"
        {...rest}
        aria-label={label}
        aria-keyshortcuts={keys}
        className={`${SHAPE} ${LOOKS[look]} size-9 shrink-0 text-[1.02rem] ${className}`}
      >
        <Icon name={icon} filled={filled} />
      </button>
    </Hint>
  );
}

/** What a control is called, beside it. */
export function Hint({
  label,
  keys,
  children,
}: {
  label: string;
  keys?: string | undefined;
  children: ReactElement;
}) {
  return (
    <Tooltip.Root>
      <Tooltip.Trigger render={children} />
      <Tooltip.Portal>
        <Tooltip.Positioner sideOffset={8} className="z-60">
          <Tooltip.Popup className="animate-enter rounded-lg border border-line bg-lift px-2.5 py-1 text-small text-ink shadow-lift">
            {label} {keys && <kbd>{keys}</kbd>}
          </Tooltip.Popup>
        </Tooltip.Positioner>
      </Tooltip.Portal>
    </Tooltip.Root>
  );
}
