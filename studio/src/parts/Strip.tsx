/** A stretch of a canvas: given, given loosely, free, or given in part. */
export type Stretch = { kind: "given" | "part" | "loose" | "free"; seconds: number };

const LOOKS: Record<Stretch["kind"], string> = {
  given: "bg-ink/80",
  loose: "loose",
  free: "free",
  part: "part",
};

/** The canvas of a request as a strip: what is given is solid, what the model adds is not. */
export function Strip({ stretches, label }: { stretches: Stretch[]; label: string }) {
  return (
    <div
      role="img"
      aria-label={label}
      className="flex h-4 w-full gap-px overflow-hidden rounded-sm border border-line bg-card"
    >
      {stretches.map((stretch, at) => (
        <div
          // biome-ignore lint/suspicious/noArrayIndexKey: a stretch has no name but its place
          key={at}
          className={LOOKS[stretch.kind]}
          style={{ flexGrow: Math.max(stretch.seconds, 0.01) }}
        />
      ))}
    </div>
  );
}
