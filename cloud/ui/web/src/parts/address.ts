/** What a page keeps in its address, so that it comes back with a link, a reload or "back". */
import { useCallback } from 'react';
import { useSearchParams } from 'react-router';

type Change = (work: (params: URLSearchParams) => void) => void;

/**
 * The parameters as they are drawn, and a way to change them as they stand: on a slow computer the
 * address is ahead of what is drawn, and what was chosen just before must not be lost.
 */
export function useAddress(): [URLSearchParams, Change] {
  const [params, setParams] = useSearchParams();
  const change = useCallback<Change>((work) => {
    const next = new URLSearchParams(location.search);
    work(next);
    setParams(next, { replace: true });
  }, [setParams]);
  return [params, change];
}
