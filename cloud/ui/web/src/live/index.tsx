import { useQueryClient } from '@tanstack/react-query';
import {
  createContext, useCallback, useContext, useEffect, useState, useSyncExternalStore, type ReactNode,
} from 'react';
import { Readings, taker, type Reading } from './merge';
import { LiveStream, type Liveness } from './stream';

const TICK_MS = 1_000;

interface Live {
  stream: LiveStream;
  readings: Readings;
  clock: Clock;
}

const Context = createContext<Live | null>(null);

export function LiveProvider({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const [live] = useState<Live>(() => ({
    stream: new LiveStream(),
    readings: new Readings(),
    clock: new Clock(),
  }));
  useEffect(() => {
    const told = (serverNow: number) => {
      live.clock.offset = serverNow - Date.now();
    };
    return live.stream.onEvent(taker(client, live.readings, told));
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

/** One clock for everything on the page that says how long ago something was. */
class Clock {
  offset = 0; // service's wall clock minus this computer's, ms
  private readonly calls = new Set<() => void>();
  private timer: ReturnType<typeof setInterval> | undefined;

  now = (): number => Date.now() + this.offset;

  subscribe = (call: () => void): (() => void) => {
    this.calls.add(call);
    this.timer ??= setInterval(() => this.calls.forEach((one) => one()), TICK_MS);
    return () => {
      this.calls.delete(call);
      if (this.calls.size) return;
      clearInterval(this.timer);
      this.timer = undefined;
    };
  };
}

/** What is said of the service's wall clock (ms), anew when the words change. */
export function useClock(said: (now: number) => string): string {
  const { clock } = useLive();
  return useSyncExternalStore(clock.subscribe, () => said(clock.now()));
}
