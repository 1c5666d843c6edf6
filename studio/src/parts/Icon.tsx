const PATHS = {
  reel: "M4 4h16v16H4zM4 9h16M4 15h16M9 4v5m6-5v5M9 15v5m6-5v5",
  board: "M3 6h7v12H3zM14 6h7v5h-7zM14 15h7v3h-7z",
  play: "M7 4.5v15l12-7.500z",
  pause: "M8 5v14M16 5v14",
  world:
    "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM3.5 9h17M3.5 15h17M12 3c-5 5-5 13 0 18 5-5 5-13 0-18",
  settings: "M4 7h9m5 0h2M4 17h2m5 0h9M15.5 4.500v5M8.5 14.500v5",
  help: "M9 9a3 3 0 1 1 4.5 2.600c-1 .6-1.5 1.2-1.5 2.400M12 17.500v.01",
  close: "M6 6l12 12M18 6L6 18",
  star: "M12 4l2.4 5.2 5.6.6-4.2 3.8 1.2 5.6-5-2.9-5 2.9 1.2-5.600L4 9.800l5.6-.6z",
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l4.5 4.5",
  more: "M6 12v.01M12 12v.01M18 12v.01",
  check: "M5 12.500l4.5 4.500L19 7.5",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  down: "M6 9.500l6 6 6-6",
  up: "M6 14.500l6-6 6 6",
  left: "M14.5 6l-6 6 6 6",
  right: "M9.5 6l6 6-6 6",
  frameBack: "M17 6l-7 6 7 6zM6 6v12",
  frameOn: "M7 6l7 6-7 6zM18 6v12",
  loop: "M17 4l3 3-3 3M4 12V9.500A2.5 2.5 0 0 1 6.5 7H20M7 20l-3-3 3-3M20 12v2.500a2.5 2.5 0 0 1-2.5 2.500H4",
  remix:
    "M4 7h3.500c5 0 4 10 9 10H20M4 17h3.500c1.7 0 2.8-1.2 3.6-2.800M13.5 9.500C14.3 8 15.2 7 17 7h3M17.5 4.500L20 7l-2.5 2.500M17.5 14.500L20 17l-2.5 2.5",
  extend: "M3 6h10v12H3zM16 12h5m-2-2.500l2.5 2.5-2.5 2.5",
  extendBack: "M11 6h10v12H11zM8 12H3m2-2.500L2.5 12 5 14.5",
  blend: "M9 5a7 7 0 1 0 0 14A7 7 0 0 0 9 5zM15 5a7 7 0 1 0 0 14 7 7 0 0 0 0-14z",
  edit: "M4 20l1-4L16 5l3 3L8 19zM14 7l3 3",
  erase: "M9 19l-5-5 9-9 7 7-7 7zM8 10l6 6M9 19h11",
  replace: "M4 4h9v9H4zM11 16v4h9v-9h-4M6.5 8.500h4M8.5 6.500v4",
  expand: "M9 9h6v6H9zM4 8V4h4M16 4h4v4M20 16v4h-4M8 20H4v-4",
  upscale: "M4 14h6v6H4zM4 10V4h16v16h-6M13 11l4-4m-3.5 0H17v3.5",
  recut: "M6 6.500a2 2 0 1 0 0 .01M6 17.500a2 2 0 1 0 0 .01M7.7 8L20 17M7.7 16L20 7",
  smooth: "M3 12c2-6 4-6 6 0s4 6 6 0 4-6 6 0",
  image: "M4 5h16v14H4zM4 16l4.5-4.5 4 4L15 13l5 4.500M15.5 9v.01",
  download: "M12 4v11m-4-4l4 4 4-4M5 20h14",
  trash: "M5 7h14M10 7V4.500h4V7M7 7l1 13h8l1-13",
  folder: "M3 6h6l2 2.500h10V19H3z",
  compare: "M12 3v18M4 6h5v12H4zM15 6h5v12h-5z",
  seed: "M12 21v-8M12 13C12 8 8 6.5 4.5 6.5 4.5 11 7.5 13 12 13zM12 11c0-4 3-6.5 7.5-6.5 0 5-3 6.5-7.5 6.5",
  reuse: "M4 12a8 8 0 0 1 14-5.300L20 9M20 4v5h-5M20 12a8 8 0 0 1-14 5.300L4 15M4 20v-5h5",
  split: "M12 3v18M8 7l-4 5 4 5M16 7l4 5-4 5",
  save: "M5 4h11l3 3v13H5zM8 4v5h7V4M8 20v-6h8v6",
  open: "M4 19V5h5l2 2.500h8V10M4 19l3-9h14l-3 9z",
  key: "M8.5 11a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM11.5 12.500L20 4m-3 3l3 3m-6 0l2 2",
  disk: "M4 6c0-1.5 3.5-2.5 8-2.500s8 1 8 2.5-3.5 2.5-8 2.500S4 7.5 4 6zv12c0 1.5 3.5 2.5 8 2.500s8-1 8-2.500V6M4 12c0 1.5 3.5 2.5 8 2.500s8-1 8-2.5",
  cube: "M12 3l8 4.500v9L12 21l-8-4.500v-9zM4 7.500l8 4.5 8-4.500M12 12v9",
  moon: "M20 14.500A8.5 8.5 0 1 1 9.5 4a7 7 0 0 0 10.5 10.500z",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2.500v2m0 15v2M2.5 12h2m15 0h2M5.3 5.300l1.4 1.400m10.6 10.600l1.4 1.400M5.3 18.700l1.4-1.400M17.3 6.700l1.4-1.4",
  alert: "M12 4l9 16H3zM12 10v4.500M12 17.500v.01",
  copy: "M8 8h12v12H8zM4 16V4h12",
  clock: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 8v4.500l3 2",
  full: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
  upload: "M12 16V5m-4 4l4-4 4 4M5 20h14",
  tree: "M6 4v16M6 8h6a3 3 0 0 1 3 3M6 16h9M17 9v4h-4M18 16h.01",
  brush:
    "M20 4L10.5 13.500M8 13a3.5 3.5 0 0 0-3.5 3.500c0 1.5-.5 2.5-1.5 3.5 4 .5 8.5 0 8.5-3.500A3.5 3.5 0 0 0 8 13z",
  mute: "M5 9.500h3l5-4v13l-5-4H5z",
} as const;

export type IconName = keyof typeof PATHS;

const FILLED: readonly IconName[] = ["play"];

/** A picture of 24 units, as large as the text around it; always beside a name, so hidden from readers. */
export function Icon({
  name,
  filled = false,
  className = "",
}: {
  name: IconName;
  filled?: boolean;
  className?: string;
}) {
  const solid = filled || FILLED.includes(name);
  return (
    <svg
      viewBox="0 0 24 24"
      aria-hidden="true"
      focusable="false"
      className={`size-[1.25em] shrink-0 ${className}`}
      fill={solid ? "currentColor" : "none"}
      stroke="currentColor"
      strokeWidth="1.6"
      strokeLinecap="round"
      strokeLinejoin="round"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}

/** The reel, with a length of film running off it. */
export function Mark({ className = "" }: { className?: string }) {
  return (
    <svg viewBox="0 0 32 32" aria-hidden="true" className={className}>
      <path
        fill="var(--lamp)"
        fillRule="evenodd"
        d="M15 3a12 12 0 1 0 0 24h14.500a1.25 1.25 0 0 0 0-2.500H22.500A12 12 0 0 0 15 3zM15 6.300a3.3 3.3 0 1 1 0 6.6 3.3 3.3 0 0 1 0-6.600zM10.2 14.700a3.3 3.3 0 1 1 0 6.6 3.3 3.3 0 0 1 0-6.600zM19.8 14.700a3.3 3.3 0 1 1 0 6.6 3.3 3.3 0 0 1 0-6.600z"
      />
    </svg>
  );
}
