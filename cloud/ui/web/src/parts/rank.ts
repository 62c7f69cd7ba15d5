/** What comes first on the board. Pure. */
import type { BoardRow, State } from '../api/client';
import { DAY } from './format';

const SOON_D = 14;

/** How a machine stands: what its readings say, and never less than the work that waits on it. */
export function standing({ state, ticket, advisory }: Pick<BoardRow, 'state' | 'ticket' | 'advisory'>): State {
  const worst = Math.max(ticket?.severity ?? 0, advisory?.state === 'open' ? advisory.severity : 0);
  if (state === 'alarm' || worst >= 3) return 'alarm';
  return worst === 2 ? 'alert' : state;
}

/** 0 needs action, 1 needs planning, 2 is not heard, 3 is as it should be. */
export function urgency(row: BoardRow): number {
  const state = standing(row);
  if (state === 'alarm' || row.advisory?.severity === 3) return 0;
  const soon = (row.left?.p10_s ?? Infinity) < SOON_D * DAY;
  if (state === 'alert' || soon || row.ticket || row.advisory?.state === 'open') return 1;
  if (state === 'silent') return 2;
  return 3;
}

export function ranked(rows: BoardRow[]): BoardRow[] {
  const keyed = rows.map((row) => ({
    row,
    key: [urgency(row), row.left?.p50_s ?? Infinity, row.health ?? 101] as const,
  }));
  keyed.sort(({ key: a, row: one }, { key: b, row: two }) =>
    a[0] - b[0] || compare(a[1], b[1]) || a[2] - b[2] || compare(one.machine, two.machine),
  );
  return keyed.map(({ row }) => row);
}

const compare = <T extends number | string>(a: T, b: T): number => (a === b ? 0 : a < b ? -1 : 1);

export const STATES: State[] = ['alarm', 'alert', 'silent', 'learning', 'unknown', 'normal'];

export interface Filter {
  q: string;
  states: string[];
  type: string;
  site: string;
}

export function matching(rows: BoardRow[], filter: Filter): BoardRow[] {
  const words = filter.q.toLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter((row) => {
    if (filter.states.length && !filter.states.includes(standing(row))) return false;
    if (filter.type && row.profile !== filter.type) return false;
    if (filter.site && row.device !== filter.site) return false;
    if (!words.length) return true;
    const titles = Object.values(row.type).join(' ');
    const text = `${row.machine} ${row.name ?? ''} ${row.profile} ${titles}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}
