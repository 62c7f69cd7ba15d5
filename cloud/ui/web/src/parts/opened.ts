/** A dialogue about a thing as it was on the screen when it was opened. */
import { useState } from 'react';
import { Outdated } from '../api/client';

export interface Opened<K, T> {
  kind: K;
  seen: T; // what is decided about, however the page moves on behind the dialogue
  refused?: unknown; // why the last try was refused
}

/** Holds the dialogue that is open; after a refusal it is about what the refusal showed. */
export function useOpened<K, T>() {
  const [opened, set] = useState<Opened<K, T> | null>(null);
  return {
    opened,
    open: (kind: K, seen: T) => set({ kind, seen }),
    close: () => set(null),
    refuse: (error: unknown) =>
      set((was) => was && { ...was, refused: error, seen: error instanceof Outdated ? error.now : was.seen }),
  };
}
