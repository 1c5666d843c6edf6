import { type ReactNode, useId } from "react";

/** A part of the settings under its name. */
export function Section({ title, children }: { title: string; children: ReactNode }) {
  const id = useId();
  return (
    <section aria-labelledby={id} className="grid gap-3">
      <h2 id={id} className="border-b border-line pb-2 text-lead font-semibold">
        {title}
      </h2>
      {children}
    </section>
  );
}
