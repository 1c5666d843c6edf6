/** What keys and distant buttons ask of whatever part of the page can do it. */
export type Command = "compose" | "search" | "help" | "drop";

export function command(name: Command): void {
  window.dispatchEvent(new CustomEvent(`worldreel:${name}`));
}

export function onCommand(name: Command, act: () => void): () => void {
  window.addEventListener(`worldreel:${name}`, act);
  return () => window.removeEventListener(`worldreel:${name}`, act);
}
