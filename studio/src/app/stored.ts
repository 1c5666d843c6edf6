import { useCallback, useSyncExternalStore } from "react";

const PREFIX = "worldreel.";
const listeners = new Set<() => void>();
const cache = new Map<string, { text: string | null; value: unknown }>();

/** A value that outlives the page; what cannot be read is the fallback. */
export function readStored<T>(name: string, fallback: T): T {
  let text: string | null = null;
  try {
    text = localStorage.getItem(PREFIX + name);
  } catch {
    // storage is switched off: the page works, it forgets
  }
  const known = cache.get(name);
  if (known && known.text === text) return known.value as T;
  let value: unknown = fallback;
  if (text !== null) {
    try {
      value = JSON.parse(text);
    } catch {
      value = fallback;
    }
  }
  cache.set(name, { text, value });
  return value as T;
}

export function writeStored<T>(name: string, value: T): void {
  const text = JSON.stringify(value);
  try {
    localStorage.setItem(PREFIX + name, text);
    cache.set(name, { text, value });
  } catch {
    cache.set(name, { text: null, value });
  }
  for (const tell of listeners) tell();
}

function subscribe(tell: () => void): () => void {
  listeners.add(tell);
  window.addEventListener("storage", tell);
  return () => {
    listeners.delete(tell);
    window.removeEventListener("storage", tell);
  };
}

/** The same as state of a component; other tabs follow. */
export function useStored<T>(name: string, fallback: T): [T, (value: T) => void] {
  const value = useSyncExternalStore(subscribe, () => readStored(name, fallback));
  const set = useCallback((next: T) => writeStored(name, next), [name]);
  return [value, set];
}
