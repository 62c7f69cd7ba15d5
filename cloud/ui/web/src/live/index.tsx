import { useQueryClient } from '@tanstack/react-query';
import {
  createContext, useCallback, useContext, useEffect, useRef, useState, useSyncExternalStore,
  type ReactNode,
} from 'react';
import { Readings, taker, type Reading } from './merge';
import { LiveStream, type Liveness } from './stream';

interface Live {
  stream: LiveStream;
  readings: Readings;
  offset: { ms: number }; // service's wall clock minus this computer's
}

const Context = createContext<Live | null>(null);

export function LiveProvider({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const [live] = useState<Live>(() => ({
    stream: new LiveStream(),
    readings: new Readings(),
    offset: { ms: 0 },
  }));
  useEffect(() => {
    const clock = (serverNow: number) => {
      live.offset.ms = serverNow - Date.now();
    };
    return live.stream.onEvent(taker(client, live.readings, clock));
  }, [client, live]);
  return <Context value={live}>{children}</Context>;
}

function useLive(): Live {
  const live = useContext(Context);
  if (!live) throw new Error('LiveProvider is missing');
  return live;
}

export function useLiveness(): Liveness {
  const { stream } = useLive();
  return useSyncExternalStore(stream.onLiveness, () => stream.liveness);
}

/** Asks for the newest values of a machine while a page shows it. */
export function useWatch(machine: string): void {
  const { stream } = useLive();
  useEffect(() => {
    stream.watch([machine]);
    return () => stream.watch([]);
  }, [stream, machine]);
}

export function useReading(machine: string, signal: string): Reading | undefined {
  const { readings } = useLive();
  const subscribe = useCallback(
    (call: () => void) => readings.subscribe(machine, signal, call),
    [readings, machine, signal],
  );
  return useSyncExternalStore(subscribe, () => readings.get(machine, signal));
}

/** The service's wall clock in ms, anew every `everyMs`. */
export function useNow(everyMs = 1_000): number {
  const { offset } = useLive();
  const [now, setNow] = useState(() => Date.now() + offset.ms);
  const last = useRef(offset);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now() + last.current.ms), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}
