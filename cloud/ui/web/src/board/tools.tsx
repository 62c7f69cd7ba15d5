/** What is shown of the board: search, states, type, device; all of it stands in the address. */
import { Button, NativeSelect } from '@mantine/core';
import { memo, useCallback, useEffect, useMemo, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import type { BoardRow } from '../api/client';
import classes from '../pages/board.module.css';
import { useAddress } from '../parts/address';
import { useFormats } from '../parts/format';
import { StateMark } from '../parts/marks';
import { standing, STATES, type Filter } from '../parts/rank';
import { Search } from '../parts/search';

type Change = (part: Partial<Record<keyof Filter, string>>) => void;

export function useFilter(): [Filter, Change] {
  const [params, changeAddress] = useAddress();
  const filter = useMemo(
    () => ({
      q: params.get('q') ?? '',
      states: (params.get('state') ?? '').split(',').filter(Boolean),
      type: params.get('type') ?? '',
      site: params.get('site') ?? '',
    }),
    [params],
  );
  const change = useCallback<Change>((part) =>
    changeAddress((next) => {
      for (const [key, value] of Object.entries(part)) {
        const name = key === 'states' ? 'state' : key;
        if (value) next.set(name, value);
        else next.delete(name);
      }
    }), [changeAddress]);
  return [filter, change];
}

const StateChips = memo(function StateChips({ counts, chosen, choose }: {
  counts: Map<string, number>;
  chosen: string[];
  choose: (states: string[]) => void;
}) {
  const { t } = useTranslation();
  return (
    <div className={classes.chips} role="group" aria-label={t('board.filterState')}>
      {STATES.filter((state) => counts.get(state) || chosen.includes(state)).map((state) => {
        const on = chosen.includes(state);
        return (
          <button
            key={state}
            type="button"
            aria-pressed={on}
            className={classes.chip}
            onClick={() => choose(on ? chosen.filter((one) => one !== state) : [...chosen, state])}
          >
            <StateMark state={state} />
            <span>{counts.get(state) ?? 0}</span>
          </button>
        );
      })}
    </div>
  );
});

interface Offered {
  counts: Map<string, number>;
  types: [string, string][];
  sites: string[];
}

/** What the filters offer; the same object as long as it says the same. */
export function useOffered(rows: BoardRow[]): Offered {
  const formats = useFormats();
  const kept = useRef<{ key: string; offered: Offered } | null>(null);
  return useMemo(() => {
    const counts = new Map<string, number>();
    for (const state of rows.map(standing)) counts.set(state, (counts.get(state) ?? 0) + 1);
    const types = [...new Map(rows.map((row) => [row.profile, formats.text(row.type, row.profile)]))];
    const sites = [...new Set(rows.map((row) => row.device))].sort();
    const key = JSON.stringify([[...counts].sort(), types, sites]);
    if (kept.current?.key !== key) kept.current = { key, offered: { counts, types, sites } };
    return kept.current.offered;
  }, [rows, formats]);
}

export const isFiltered = (filter: Filter): boolean =>
  Boolean(filter.q || filter.states.length || filter.type || filter.site);

export const Tools = memo(function Tools({ counts, types, sites, filter, change }: Offered & {
  filter: Filter;
  change: Change;
}) {
  const { t } = useTranslation();
  const search = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const focus = (event: KeyboardEvent) => {
      const typing = (event.target as HTMLElement).closest('input, textarea, select');
      if (event.key === '/' && !typing) {
        event.preventDefault();
        search.current?.focus();
      }
    };
    addEventListener('keydown', focus);
    return () => removeEventListener('keydown', focus);
  }, []);
  return (
    <div className={`${classes.tools} ${isFiltered(filter) ? '' : 'screen'}`}>
      <Search
        ref={search} value={filter.q} change={(q) => change({ q })} label={t('board.search')}
        hint={t('board.searchHint')} className={classes.search ?? ''} right={<kbd aria-hidden>/</kbd>}
      />
      <StateChips counts={counts} chosen={filter.states} choose={(s) => change({ states: s.join(',') })} />
      <NativeSelect
        aria-label={t('board.type')}
        value={filter.type}
        onChange={(event) => change({ type: event.currentTarget.value })}
        data={[{ value: '', label: t('board.allTypes') }, ...types.map(([value, label]) => ({ value, label }))]}
      />
      {sites.length > 1 && (
        <NativeSelect
          aria-label={t('board.site')}
          value={filter.site}
          onChange={(event) => change({ site: event.currentTarget.value })}
          data={[{ value: '', label: t('board.allSites') }, ...sites]}
        />
      )}
      {isFiltered(filter) && (
        <Button
          variant="subtle"
          onClick={() => {
            change({ q: '', states: '', type: '', site: '' });
            search.current?.focus(); // this button goes
          }}
        >
          {t('board.clear')}
        </Button>
      )}
    </div>
  );
});
