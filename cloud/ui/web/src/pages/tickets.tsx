import { Anchor, SegmentedControl, Text, Title } from '@mantine/core';
import {
  createColumnHelper, flexRender, getCoreRowModel, getSortedRowModel, useReactTable, type SortingState,
} from '@tanstack/react-table';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useNavigate } from 'react-router';
import type { BoardRow, Ticket, TicketState } from '../api/client';
import { useBoard, useTickets } from '../api/queries';
import { useAddress } from '../parts/address';
import { Problem } from '../parts/failing';
import { useFormats } from '../parts/format';
import { Icon } from '../parts/icons';
import { dueText, overdue, SeverityMark } from '../parts/marks';
import marks from '../parts/marks.module.css';
import { Search } from '../parts/search';
import { useTitle } from '../parts/title';
import { Waiting } from '../parts/waiting';
import { TicketMark } from '../tickets/mark';
import classes from '../tickets/tickets.module.css';
import { machineNow, useNarrow } from '../parts/machines';

const OPEN: TicketState[] = ['new', 'in_progress', 'resolved'];
const ALL: TicketState[] = [...OPEN, 'closed_confirmed', 'closed_unconfirmed', 'cancelled'];

interface Shown {
  ticket: Ticket;
  row: BoardRow | undefined;
  title: string;
  name: string;
  due: string;
  day: string; // beside how long it is until then
  late: boolean;
}

const helper = createColumnHelper<Shown>();

function useColumns() {
  const { t } = useTranslation();
  return useMemo(
    () => [
      helper.accessor((one) => one.ticket.number, {
        id: 'number',
        cell: ({ row: { original } }) => (
          <Link to={`/tickets/${original.ticket.id}`} className="plain strong">#{original.ticket.number}</Link>
        ),
      }),
      helper.accessor('title', {
        id: 'what',
        cell: ({ row: { original } }) => (
          <span className={classes.what}>
            <SeverityMark severity={original.ticket.severity} />
            <span className="break">{original.title}</span>
          </span>
        ),
      }),
      helper.accessor('name', { id: 'machine' }),
      helper.accessor((one) => ALL.indexOf(one.ticket.state), {
        id: 'state', cell: ({ row: { original } }) => <TicketMark state={original.ticket.state} />,
      }),
      helper.accessor((one) => one.ticket.due_latest, {
        id: 'due', cell: ({ row: { original } }) => (
          <>
            <div className={`nowrap ${original.late ? marks.urgent : ''}`}>{original.due}</div>
            {original.day && <div className="dim small nowrap">{original.day}</div>}
          </>
        ),
      }),
      helper.accessor((one) => one.ticket.priority, {
        id: 'priority', cell: ({ getValue }) => t(`priority.${getValue() as 1 | 2 | 3}`),
      }),
      helper.accessor((one) => one.ticket.assignee ?? '', {
        id: 'assignee',
        cell: ({ getValue }) => getValue() || <span className="dim">{t('tickets.nobody')}</span>,
      }),
    ],
    [t],
  );
}

/** What a list is sorted by stands in the address: `due`, or `-due` for the last first. */
const sortedBy = (said: string): SortingState => [{ id: said.replace('-', ''), desc: said.startsWith('-') }];

function List({ items, sort, onSort }: { items: Shown[]; sort: string; onSort: (by: string) => void }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const sorting = useMemo(() => sortedBy(sort), [sort]);
  const table = useReactTable({
    data: items,
    columns: useColumns(),
    state: { sorting },
    onSortingChange: (change) => {
      const [by] = typeof change === 'function' ? change(sorting) : change;
      onSort(by ? `${by.desc ? '-' : ''}${by.id}` : 'due');
    },
    getCoreRowModel: getCoreRowModel(),
    getSortedRowModel: getSortedRowModel(),
    getRowId: (one) => one.ticket.id,
  });
  return (
    <div className={classes.box} role="region" aria-label={t('tickets.list')} tabIndex={0}>
      <table className="grid">
        <thead>
          {table.getHeaderGroups().map((group) => (
            <tr key={group.id}>
              {group.headers.map((header) => {
                const sorted = header.column.getIsSorted();
                const label = t(`tickets.${header.id}`);
                return (
                  <th
                    key={header.id} scope="col"
                    aria-sort={sorted === 'asc' ? 'ascending' : sorted === 'desc' ? 'descending' : 'none'}
                  >
                    <button
                      type="button" className={classes.sort} onClick={header.column.getToggleSortingHandler()}
                      title={t('tickets.sort', { column: label })}
                    >
                      {label}
                      {sorted && <Icon name={sorted === 'asc' ? 'up' : 'down'} size={12} />}
                    </button>
                  </th>
                );
              })}
            </tr>
          ))}
        </thead>
        <tbody>
          {table.getRowModel().rows.map((row) => (
            <tr
              key={row.id} className={classes.row}
              onClick={(event) => {
                if (!(event.target as HTMLElement).closest('a')) void navigate(`/tickets/${row.id}`);
              }}
            >
              {row.getVisibleCells().map((cell) => (
                <td key={cell.id}>{flexRender(cell.column.columnDef.cell, cell.getContext())}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Card({ item }: { item: Shown }) {
  const { t } = useTranslation();
  const { ticket } = item;
  return (
    <Link to={`/tickets/${ticket.id}`} className={classes.card ?? ''}>
      <span className={classes.cardTop}>
        <SeverityMark severity={ticket.severity} />
        <span className="dim small">#{ticket.number}</span>
      </span>
      <span className="strong break">{item.title}</span>
      <span className="small break">{item.name}</span>
      <span className="dim small">
        <span className={item.late ? marks.urgent : undefined}>{item.due}</span> · {ticket.assignee ?? t('tickets.nobody')}
      </span>
    </Link>
  );
}

function Lanes({ items, states }: { items: Shown[]; states: TicketState[] }) {
  const { t } = useTranslation();
  return (
    <div className={classes.lanes}>
      {states.map((state) => {
        const here = items.filter((one) => one.ticket.state === state);
        return (
          <section key={state} className={classes.lane} aria-label={t(`ticketState.${state}`)}>
            <h2><TicketMark state={state} /> <span className="dim small">{here.length}</span></h2>
            {here.map((one) => <Card key={one.ticket.id} item={one} />)}
            {here.length === 0 && <Text size="sm" c="dimmed">{t('common.none')}</Text>}
          </section>
        );
      })}
    </div>
  );
}

export default function Tickets() {
  const { t } = useTranslation();
  const formats = useFormats();
  const narrow = useNarrow();
  const [params, changeAddress] = useAddress();
  const every = params.get('show') === 'all';
  const lanes = params.get('as') === 'board';
  const q = params.get('q') ?? '';
  const { data, error, refetch } = useTickets(every ? {} : { state: OPEN });
  const { data: board } = useBoard();
  useTitle(t('tickets.title'));
  const set = (name: string, value: string | null) =>
    changeAddress((next) => {
      if (value) next.set(name, value);
      else next.delete(name);
    });
  const items = useMemo(() => {
    const rows = new Map(board?.items.map((row) => [row.machine, row]));
    const words = q.toLowerCase().split(/\s+/).filter(Boolean);
    return (data ?? [])
      .map((ticket): Shown => {
        const row = rows.get(ticket.machine);
        const done = !OPEN.slice(0, 2).includes(ticket.state);
        const day = formats.on(ticket.clock, formats.date(ticket.due_latest));
        return {
          ticket,
          row,
          title: formats.text(ticket.title, ticket.mode),
          name: row?.name ?? ticket.machine,
          due: done || !row ? day : dueText(ticket.due_latest, machineNow(row), formats, t),
          day: done || !row ? '' : day,
          late: !done && row !== undefined && overdue(ticket.due_latest, machineNow(row)),
        };
      })
      .filter(({ ticket, title, name }) => {
        const text = `#${ticket.number} ${title} ${name} ${ticket.machine} ${ticket.assignee ?? ''}`.toLowerCase();
        return words.every((word) => text.includes(word));
      });
  }, [data, board, q, formats, t]);
  return (
    <>
      <Title order={1} mb={8}>{t('tickets.title')}</Title>
      <div className={classes.tools}>
        <Search
          value={q} change={(next) => set('q', next)} label={t('tickets.search')} hint={t('tickets.search')}
          className={classes.search ?? ''}
        />
        <SegmentedControl
          size="xs" value={every ? 'all' : 'open'} aria-label={t('common.filters')}
          onChange={(value) => set('show', value === 'all' ? 'all' : null)}
          data={[{ value: 'open', label: t('tickets.open') }, { value: 'all', label: t('tickets.all') }]}
        />
        <SegmentedControl
          size="xs" value={lanes ? 'board' : 'list'} aria-label={t('tickets.board')}
          onChange={(value) => set('as', value === 'board' ? 'board' : null)}
          data={[{ value: 'list', label: t('tickets.list') }, { value: 'board', label: t('tickets.board') }]}
        />
      </div>
      {error && <Problem error={error} retry={() => void refetch()} />}
      {!data && !error && <Waiting />}
      {data && items.length === 0 && (
        <div className="card">
          <Text>{t(q ? 'tickets.noMatch' : 'tickets.empty')}</Text>
          {q && <Anchor component="button" type="button" mr="md" onClick={() => set('q', null)}>{t('board.clear')}</Anchor>}
          {!every && <Anchor component="button" type="button" onClick={() => set('show', 'all')}>{t('tickets.all')}</Anchor>}
        </div>
      )}
      {items.length > 0 && lanes && <Lanes items={items} states={every ? ALL : OPEN} />}
      {items.length > 0 && !lanes && narrow && (
        <div className={classes.cards}>{items.map((one) => <Card key={one.ticket.id} item={one} />)}</div>
      )}
      {items.length > 0 && !lanes && !narrow && (
        <List items={items} sort={params.get('sort') ?? 'due'} onSort={(by) => set('sort', by === 'due' ? null : by)} />
      )}
    </>
  );
}
