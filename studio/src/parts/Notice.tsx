import type { ReactNode } from "react";
import { Icon, type IconName } from "./Icon";

type NoticeProps = { icon: IconName; title: string; children?: ReactNode; action?: ReactNode };

/** A whole view's state: what is so, and what to do about it. */
export function Notice({ icon, title, children, action }: NoticeProps) {
  return (
    <section className="mx-auto grid max-w-md animate-enter justify-items-center gap-3 px-6 py-16 text-center">
      <Icon name={icon} className="text-[2rem] text-lamp-ink" />
      <h2 className="script text-title">{title}</h2>
      {children && <div className="text-soft">{children}</div>}
      {action}
    </section>
  );
}

/** The same in one line, above other things. */
export function Banner({
  tone,
  children,
  action,
}: {
  tone: "warn" | "bad";
  children: ReactNode;
  action?: ReactNode;
}) {
  return (
    <div
      role={tone === "bad" ? "alert" : "status"}
      className={`flex animate-enter flex-wrap items-center gap-x-3 gap-y-1 border-b border-line bg-wall px-4 py-2 text-small ${tone === "bad" ? "text-bad" : "text-warn"}`}
    >
      <Icon name="alert" />
      <span className="min-w-0 flex-1">{children}</span>
      {action}
    </div>
  );
}
