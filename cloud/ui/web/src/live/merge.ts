/** Brings what the stream says into what the pages have read. */
import type { QueryClient } from '@tanstack/react-query';
import type { Board, BoardRow, LifeLeft, State, Why } from '../api/client';
import type { SseEvent } from './protocol';

export interface GlanceView {
  machine: string;
  state: State;
  score: number | null;
  health: number | null;
  coverage: number | null;
  seen: string | null;
  data: string | null;
  heard: string | null;
  left: LifeLeft | null;
  trail_ms: number[];
  trail: number[];
}

export interface Reading {
  machine: string;
  signal: string;
  at: string;
  value: number | null;
}

interface Changes {
  now: string;
  machines: GlanceView[];
  changes: { subject: string; subject_id: string; machine: string | null; type: string }[];
}

const STEP_MS = (30 * 86_400_000) / 48;
const TRAIL = 48;
const READ_EVERY_MS = 3_000;

/** The same thinning as the service's: a new newest point gives way while it is too close. */
export function longer(row: { trail_ms: number[]; trail: number[] }, next: GlanceView) {
  const at = next.trail_ms.at(-1);
  const value = next.trail.at(-1);
  const last = row.trail_ms.at(-1);
  if (at === undefined || value === undefined || (last !== undefined && at <= last)) {
    return { trail_ms: row.trail_ms, trail: row.trail };
  }
  const before = row.trail_ms.at(-2);
  const drop = last !== undefined && before !== undefined && last - before < STEP_MS ? 1 : 0;
  const kept = row.trail_ms.length - drop;
  return {
    trail_ms: [...row.trail_ms.slice(0, kept), at].slice(-TRAIL),
    trail: [...row.trail.slice(0, kept), value].slice(-TRAIL),
  };
}

export function merged(board: Board, machines: GlanceView[]): Board {
  const news = new Map(machines.map((one) => [one.machine, one]));
  const items = board.items.map((row): BoardRow => {
    const next = news.get(row.machine);
    return next ? { ...row, ...next, ...longer(row, next) } : row;
  });
  return { ...board, items };
}

/** Values that change every second stay out of the query cache: a page subscribes to its own. */
export class Readings {
  private readonly newest = new Map<string, Reading>();
  private readonly listeners = new Map<string, Set<() => void>>();

  take(readings: Reading[]): void {
    for (const one of readings) {
      const key = `${one.machine}\n${one.signal}`;
      this.newest.set(key, one);
      this.listeners.get(key)?.forEach((call) => call());
    }
  }

  get(machine: string, signal: string): Reading | undefined {
    return this.newest.get(`${machine}\n${signal}`);
  }

  subscribe(machine: string, signal: string, call: () => void): () => void {
    const key = `${machine}\n${signal}`;
    const calls = this.listeners.get(key) ?? new Set();
    this.listeners.set(key, calls.add(call));
    return () => calls.delete(call);
  }
}

/** Returns what takes events into the cache; `clock` hears the service's wall clock. */
export function taker(
  client: QueryClient,
  readings: Readings,
  clock: (serverNow: number) => void,
): (event: SseEvent) => void {
  const readAt = new Map<string, number>(); // when a machine was last read anew, or will be
  /** Reads a machine anew, at most each few seconds; what comes in between is read after them. */
  const anew = (machine: string): void => {
    const now = Date.now();
    const at = Math.max(now, (readAt.get(machine) ?? 0) + READ_EVERY_MS);
    if ((readAt.get(machine) ?? 0) > now) return;
    readAt.set(machine, at);
    setTimeout(() => {
      for (const key of ['trend', 'machine', 'parts']) {
        void client.invalidateQueries({ queryKey: [key, machine] });
      }
      reasonsAnew(client, machine);
    }, at - now);
  };
  return ({ event, data }) => {
    if (event === 'changes') {
      const message = JSON.parse(data) as Changes;
      clock(Date.parse(message.now));
      const board = client.getQueryData<Board>(['board']);
      if (board && message.machines.length) {
        const known = new Set(board.items.map((row) => row.machine));
        client.setQueryData(['board'], merged(board, message.machines));
        if (message.machines.some((one) => !known.has(one.machine))) {
          void client.invalidateQueries({ queryKey: ['board'] });
        }
      }
      for (const one of message.machines) if (one.seen !== null) anew(one.machine);
      changed(client, message);
    } else if (event === 'values') {
      readings.take((JSON.parse(data) as { readings: Reading[] }).readings);
    } else if (event === 'hello') {
      clock(Date.parse((JSON.parse(data) as { now: string }).now));
    } else if (event === 'reset') {
      void client.invalidateQueries();
    }
  };
}

/** A machine's newest assessment says the reasons of its tickets and advisories anew. */
function reasonsAnew(client: QueryClient, machine: string): void {
  for (const [key, why] of client.getQueriesData<Why>({ queryKey: ['why'] })) {
    if (why?.machine !== machine) continue;
    void client.invalidateQueries({ queryKey: key });
    void client.invalidateQueries({ queryKey: ['evidence', why.advisory_id] });
  }
}

function changed(client: QueryClient, message: Changes): void {
  const subjects = new Set(message.changes.map((one) => one.subject));
  if (subjects.has('ticket') || subjects.has('advisory')) {
    for (const key of ['tickets', 'advisories', 'board']) {
      void client.invalidateQueries({ queryKey: [key] });
    }
    for (const one of message.changes) {
      for (const key of ['ticket', 'history', 'advisory', 'why', 'evidence']) {
        void client.invalidateQueries({ queryKey: [key, one.subject_id] });
      }
    }
  }
  if (subjects.has('machine')) {
    void client.invalidateQueries({ queryKey: ['board'] });
    for (const one of message.changes) {
      if (one.subject === 'machine') {
        void client.invalidateQueries({ queryKey: ['machine', one.subject_id] });
        void client.invalidateQueries({ queryKey: ['signals', one.subject_id] });
      }
    }
  }
}
