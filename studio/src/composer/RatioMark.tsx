/** The outline of a picture's shape, one line of text high. */
export function RatioMark({ size }: { size: string }) {
  const [width = 1, height = 1] = size.split("x").map(Number);
  const longest = Math.max(width, height);
  const [w, h] = [(14 * width) / longest, (14 * height) / longest];
  return (
    <svg viewBox="0 0 16 16" className="size-4" aria-hidden="true">
      <rect
        x={(16 - w) / 2}
        y={(16 - h) / 2}
        width={w}
        height={h}
        rx="2"
        fill="none"
        stroke="currentColor"
        strokeWidth="1.4"
      />
    </svg>
  );
}
