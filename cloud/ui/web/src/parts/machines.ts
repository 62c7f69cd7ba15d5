/** What several pages need to know of machines. */
import { useEffect, useState } from 'react';

export const machineLink = (machine: string) => `/machines/${encodeURIComponent(machine)}`;

/** The machine's own "now": wall time, or its newest data time. */
export const machineNow = (row: { clock: string; data: string | null; seen: string | null }) =>
  row.clock === 'data' ? Date.parse(row.data ?? row.seen ?? '') || Date.now() : Date.now();

export function useNarrow(limit = 800): boolean {
  const [narrow, setNarrow] = useState(() => window.innerWidth <= limit);
  useEffect(() => {
    const query = matchMedia(`(max-width: ${limit}px)`);
    const listen = () => setNarrow(query.matches);
    listen();
    query.addEventListener('change', listen);
    return () => query.removeEventListener('change', listen);
  }, [limit]);
  return narrow;
}
