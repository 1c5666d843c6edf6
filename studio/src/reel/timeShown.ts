import type { Video } from "../api/types";

/** `0:04`: how long a video lasts, as players write it. */
export function timeShown(video: Video): string {
  const seconds = Number(video.seconds);
  const whole = Math.floor(seconds);
  const rest = seconds - whole >= 0.05 ? `.${Math.round((seconds - whole) * 10)}` : "";
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}${rest}`;
}
