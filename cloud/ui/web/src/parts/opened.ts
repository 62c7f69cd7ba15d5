/** A dialogue about a thing as it was on the screen when it was opened. */
import type { UseMutationResult } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { Outdated } from '../api/client';

interface Opened<K, T> {
  kind: K;
  seen: T; // what is decided about, however the page moves on behind the dialogue
  refused?: unknown; // why the last try was refused
}

/**
 * Holds the dialogue that is open over the page of the thing `about`, and what it sends by a mutation
 * of its own. It closes when that is done. Who leaves it, or that page, gives up what is under way.
 * After a refusal it is about what the refusal showed.
 */
export function useOpened<K, T extends { id: string }, V extends object>(
  about: string | undefined, mutation: UseMutationResult<T, Error, V & { signal?: AbortSignal }>,
) {
  const [opened, set] = useState<Opened<K, T> | null>(null);
  const sending = useRef<AbortController>(null);
  const { mutate, reset, isPending } = mutation;
  const close = () => {
    sending.current?.abort();
    reset(); // hears no more of it
    set(null);
  };
  useEffect(() => close, [about]);
  return {
    opened,
    busy: isPending,
    open: (kind: K, seen: T) => set({ kind, seen }),
    close,
    send: (what: V, done?: (now: T) => void) => {
      sending.current = new AbortController();
      mutate(
        { ...what, signal: sending.current.signal },
        {
          onSuccess: (now) => {
            set(null);
            done?.(now);
          },
          onError: (error) =>
            set((was) => was && { ...was, refused: error, seen: error instanceof Outdated ? error.now : was.seen }),
        },
      );
    },
  };
}
