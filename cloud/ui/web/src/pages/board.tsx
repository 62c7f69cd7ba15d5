import { Anchor, Group, Text, Title } from '@mantine/core';
import { useVirtualizer, useWindowVirtualizer } from '@tanstack/react-virtual';
import { memo, useDeferredValue, useEffect, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useNavigate } from 'react-router';
import type { BoardRow, Work } from '../api/client';
import { useBoard } from '../api/queries';
import { Nothing } from '../board/nothing';
import { isFiltered, Tools, useFilter, useOffered } from '../board/tools';
import { Problem } from '../parts/failing';
import { useFormats } from '../parts/format';
import { Ago, DaysLeft, Due, HealthBar, SeverityMark, Sparkline, StateMark } from '../parts/marks';
import { usePaper } from '../parts/paper';
import { matching, ranked, standing, urgency } from '../parts/rank';
import { machineLink, machineNow, useNarrow } from '../parts/machines';
import { useTitle } from '../parts/title';
import { Waiting } from '../parts/waiting';
import classes from './board.module.css';

const NONE: never[] = [];
const ROW_REM = 2.875; // as in the style sheet
const CARD = 128;
const URGENT_SHOWN = 3;

function workOf(row: BoardRow): { work: Work; to: string } | null {
  if (row.ticket) return { work: row.ticket, to: `/tickets/${row.ticket.id}` };
  if (row.advisory) return { work: row.advisory, to: `/inbox/${row.advisory.id}` };
  return null;
}

const NeedsYou = memo(function NeedsYou({ rows }: { rows: BoardRow[] }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const waiting = useMemo(
    () =>
      ranked(
        rows.filter((row) => row.ticket?.state === 'new' || row.advisory?.state === 'open'),
      ),
    [rows],
  );
  const more = waiting.slice(URGENT_SHOWN);
  return (
    <section className={classes.needs} aria-labelledby="needs">
      <h2 id="needs">{t('board.needsYou')}</h2>
      {waiting.length === 0 && (
        <Text size="sm" c="dimmed">{t('board.nothing')} {t('board.nothingHint')}</Text>
      )}
      <ul>
        {waiting.slice(0, URGENT_SHOWN).map((row) => {
          const found = workOf(row);
          if (!found) return null;
          const { work, to } = found;
          return (
            <li key={row.machine} className={urgency(row) === 0 ? classes.hot : classes.warm}>
              <Link to={to} className={classes.need ?? ''}>
                <span className={classes.needTop}>
                  <SeverityMark severity={work.severity} />
                  <span className="small"><Due latest={work.due_latest} now={machineNow(row)} /></span>
                </span>
                <span className="strong">{row.name ?? row.machine}</span>
                <span className="break">{formats.text(work.title, '')}</span>
                <span className="dim small">
                  {work.number === null ? t('board.advisory') : t('board.openTicket', { number: work.number })}
                </span>
              </Link>
            </li>
          );
        })}
        {more.length > 0 && (
          <li className={classes.moreNeeds}>
            <Anchor component={Link} to={more.some((row) => row.ticket) ? '/tickets' : '/inbox'} size="sm">
              {t('board.more', { count: more.length })}
            </Anchor>
          </li>
        )}
      </ul>
    </section>
  );
});

function useParts(row: BoardRow) {
  const { t } = useTranslation();
  const formats = useFormats();
  const found = workOf(row);
  const name = row.name ?? row.machine;
  const work = found && (
    <Link to={found.to} className={classes.work ?? ''}>
      <span className={classes.workTitle} title={formats.text(found.work.title, '')}>{formats.text(found.work.title, '')}</span>
      <span className="dim small nowrap">
        {found.work.number === null ? t('board.advisory') : `#${found.work.number}`}
        {' · '}
        <Due latest={found.work.due_latest} now={machineNow(row)} />
      </span>
    </Link>
  );
  const title = (
    <span className={classes.name}>
      <Link to={machineLink(row.machine)} className={`plain strong ${classes.open}`} title={row.machine}>{name}</Link>
      <span className={`dim small ${classes.id}`} title={row.machine}>
        {formats.text(row.type, row.profile)} · {row.device}
      </span>
    </span>
  );
  return { title, work };
}

const Row = memo(function Row({ row }: { row: BoardRow }) {
  const { t } = useTranslation();
  const { title, work } = useParts(row);
  return (
    <>
      <td><StateMark state={standing(row)} /></td>
      <td className={classes.wide}>{title}</td>
      <td><HealthBar health={row.health} /></td>
      <td className={classes.sparkCell}><Sparkline at={row.trail_ms} values={row.trail} /></td>
      <td><DaysLeft left={row.left} stacked /></td>
      <td className={classes.wide}>{work ?? <span className="dim">{t('common.none')}</span>}</td>
      <td className="small"><Ago at={row.heard} /></td>
    </>
  );
});

const Card = memo(function Card({ row }: { row: BoardRow }) {
  const { title, work } = useParts(row);
  return (
    <>
      <div className={classes.cardTop}>{title}<StateMark state={standing(row)} /></div>
      <div className={classes.cardMid}>
        <HealthBar health={row.health} />
        <DaysLeft left={row.left} />
        <span className="dim small"><Ago at={row.heard} /></span>
      </div>
      {work}
    </>
  );
});

/** Keeps the order while somebody points at the table: rows must not move under a hand. */
function useSteadyOrder(rows: BoardRow[], held: boolean, key: string): BoardRow[] {
  const kept = useRef<{ key: string; order: string[] }>({ key: '', order: [] });
  return useMemo(() => {
    if (held && kept.current.key === key) {
      const place = new Map(kept.current.order.map((machine, n) => [machine, n]));
      return [...rows].sort(
        (a, b) => (place.get(a.machine) ?? Infinity) - (place.get(b.machine) ?? Infinity),
      );
    }
    const fresh = ranked(rows);
    kept.current = { key, order: fresh.map((row) => row.machine) };
    return fresh;
  }, [rows, held, key]);
}

/** On a phone the machines are cards that scroll with the page. */
function Cards({ rows }: { rows: BoardRow[] }) {
  const list = useRef<HTMLUListElement>(null);
  const ordered = useMemo(() => ranked(rows), [rows]);
  const [top, setTop] = useState(0);
  useEffect(() => setTop(list.current?.offsetTop ?? 0), [rows.length]);
  const virtual = useWindowVirtualizer({
    count: ordered.length,
    estimateSize: () => CARD,
    getItemKey: (n) => ordered[n]?.machine ?? n,
    overscan: 6,
    scrollMargin: top,
  });
  return (
    <ul ref={list} className={classes.cards} style={{ height: virtual.getTotalSize() }}>
      {virtual.getVirtualItems().map((item) => {
        const row = ordered[item.index];
        if (!row) return null;
        return (
          <li
            key={item.key} ref={virtual.measureElement} data-index={item.index} data-machine={row.machine}
            className={`${classes.card} ${classes[`urgency_${urgency(row)}`]}`}
            style={{ transform: `translateY(${item.start - top}px)` }}
          >
            <Card row={row} />
          </li>
        );
      })}
    </ul>
  );
}

function Table({ rows, filterKey, paper }: { rows: BoardRow[]; filterKey: string; paper: boolean }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const box = useRef<HTMLDivElement>(null);
  const [held, setHeld] = useState(false);
  const ordered = useSteadyOrder(rows, held, filterKey);
  const [row] = useState(() => ROW_REM * parseFloat(getComputedStyle(document.documentElement).fontSize));
  const virtual = useVirtualizer({
    count: ordered.length,
    getScrollElement: () => box.current,
    estimateSize: () => row,
    getItemKey: (n) => ordered[n]?.machine ?? n,
    overscan: 8,
  });
  const drawn = virtual.getVirtualItems();
  const items = paper ? ordered.map((one, index) => ({ key: one.machine, index })) : drawn;
  const before = paper ? 0 : drawn[0]?.start ?? 0;
  const behind = paper ? 0 : virtual.getTotalSize() - (drawn.at(-1)?.end ?? 0);
  const columns = ['state', 'machine', 'health', 'trend', 'left', 'work', 'heard'] as const;
  return (
    <div
      ref={box}
      className={classes.box}
      onPointerEnter={(event) => setHeld(event.pointerType === 'mouse')}
      onPointerLeave={() => setHeld(false)}
      tabIndex={0}
      role="region"
      aria-label={t('board.title')}
    >
      <table className={`grid ${classes.table}`} aria-rowcount={ordered.length + 1}>
        <thead>
          <tr aria-rowindex={1}>
            {columns.map((column) => (
              <th key={column} scope="col" className={classes[`col_${column}`]}>{t(`board.${column}`)}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {before > 0 && <tr aria-hidden><td colSpan={7} className={classes.pad} style={{ height: before }} /></tr>}
          {items.map((item) => {
            const row = ordered[item.index];
            if (!row) return null;
            return (
              <tr
                key={item.key}
                data-machine={row.machine}
                aria-rowindex={item.index + 2}
                className={`${classes.row} ${classes[`urgency_${urgency(row)}`]}`}
                onClick={(event) => {
                  const on = event.target as HTMLElement;
                  if (!on.closest('a') && !window.getSelection()?.toString()) {
                    void navigate(machineLink(row.machine));
                  }
                }}
              >
                <Row row={row} />
              </tr>
            );
          })}
          {behind > 0 && <tr aria-hidden><td colSpan={7} className={classes.pad} style={{ height: behind }} /></tr>}
        </tbody>
      </table>
    </div>
  );
}

export default function Board() {
  const { t } = useTranslation();
  const { data, error, refetch } = useBoard();
  const [filter, change] = useFilter();
  const narrow = useNarrow();
  const paper = usePaper();
  useTitle(t('board.title'));
  const rows = data?.items;
  const shown = useDeferredValue(useMemo(() => matching(rows ?? [], filter), [rows, filter]));
  const { counts, types, sites } = useOffered(rows ?? NONE);
  const filtered = isFiltered(filter);
  if (!rows) return error ? <Problem error={error} retry={() => void refetch()} /> : <Waiting />;
  return (
    <div className={classes.page}>
      <Group justify="space-between" align="baseline" mb={6} gap="xs">
        <Title order={1}>{t('board.title')}</Title>
        <Text size="sm" c="dimmed">
          {filtered
            ? t('board.shown', { shown: shown.length, count: rows.length })
            : t('board.count', { count: rows.length })}
        </Text>
      </Group>
      {rows.length > 0 && (
        <>
          <NeedsYou rows={rows} />
          <Tools counts={counts} types={types} sites={sites} filter={filter} change={change} />
        </>
      )}
      {rows.length === 0 ? (
        <Nothing />
      ) : shown.length === 0 ? (
        <div className="card"><Text>{t('board.empty')}</Text></div>
      ) : narrow && !paper ? (
        <Cards rows={shown} />
      ) : (
        <Table rows={shown} filterKey={JSON.stringify(filter)} paper={paper} />
      )}
      {shown.length > 0 && <Text size="xs" c="dimmed" mt={6}>{t('board.ranking')}</Text>}
    </div>
  );
}
