import type { ReactNode } from "react";

type FrameProps = { width: number; height: number; share?: number; children?: ReactNode };

/** A picture's place, in its shape, as large as the window lets it be. */
export function Frame({ width, height, share = 64, children }: FrameProps) {
  return (
    <div
      className="relative mx-auto w-full overflow-hidden rounded-2xl bg-black"
      style={{
        aspectRatio: `${width} / ${height}`,
        maxWidth: `calc(${share}dvh * ${width / height})`,
      }}
    >
      {children}
    </div>
  );
}

/** Width and height of `128x96`. */
export function sidesOf(size: string): [number, number] {
  const [width = 1, height = 1] = size.split("x").map(Number);
  return [width, height];
}
