import { Text, Title } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import type { BoardRow, State, Ticket } from '../api/client';
import { useBoard, useTickets } from '../api/queries';
import { useClock } from '../live';
import { Problem } from '../parts/failing';
import { useFormats } from '../parts/format';
import { Icon } from '../parts/icons';
import { Ago, OwnClock } from '../parts/marks';
import marks from '../parts/marks.module.css';
import { ranked, standing } from '../parts/rank';
import { useTitle } from '../parts/title';
import { Waiting } from '../parts/waiting';
import classes from './overview.module.css';

const WORDS: Record<State, 'act' | 'watch' | 'fine' | 'learning' | 'quiet'> = {
  alarm: 'act', alert: 'watch', normal: 'fine', learning: 'learning', silent: 'quiet', unknown: 'quiet',
};
const WORRY: State[] = ['alarm', 'alert', 'silent'];

function MachineCard({ row, tickets }: { row: BoardRow; tickets: Ticket[] }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const state = standing(row);
  return (
    <li className="card">
      <div className={classes.top}>
        <span>
          <span className="strong break">{row.name ?? row.machine}</span>
          <span className="dim small"> {formats.text(row.type, row.profile)}</span>
        </span>
        <span className="dim small"><Ago at={row.heard} /></span>
      </div>
      <div className={`${classes.words} ${marks[state]}`}>
        <Icon name={state} />
        <span>{t(`overview.${WORDS[state]}`)}</span>
      </div>
      {tickets.map((one) => (
        <div key={one.id} className={classes.ticket}>
          <div className="strong break">{formats.text(one.title, one.mode)} <span className="dim small">#{one.number}</span></div>
          <div>{t(`ticketStateCustomer.${one.state}`)}</div>
          {(one.state === 'new' || one.state === 'in_progress') && (
            <div className="small">
              {t('common.labelled', {
                label: t('overview.visit'), value: formats.days(one.due_earliest, one.due_latest),
              })}
              <br />
              <span className="strong">
                {t('common.labelled', { label: t('overview.expected'), value: formats.date(one.due_latest) })}
              </span>
              {' '}<OwnClock clock={one.clock} />
            </div>
          )}
        </div>
      ))}
    </li>
  );
}

export default function Overview() {
  const { t } = useTranslation();
  const formats = useFormats();
  const { data, error, refetch } = useBoard();
  const { data: tickets } = useTickets({ state: ['new', 'in_progress', 'resolved'] });
  const updated = useClock((now) => formats.moment(now));
  useTitle(t('overview.title'));
  if (!data) return error ? <Problem error={error} retry={() => void refetch()} /> : <Waiting />;
  const rows = ranked(data.items);
  const worry = rows.filter((row) => WORRY.includes(standing(row)));
  const fine = rows.filter((row) => !worry.includes(row));
  const of = (row: BoardRow) => (tickets ?? []).filter((one) => one.machine === row.machine);
  return (
    <div className={classes.page}>
      <Title order={1}>{t('overview.title')}</Title>
      <Text size="lg" fw={600} mt={6}>
        {rows.length === 0
          ? t('board.none')
          : worry.length === 0 ? t('overview.allWell') : t('overview.worry', { count: worry.length })}
      </Text>
      <Text size="sm" c="dimmed" mb="md">{t('overview.updated', { time: updated })}</Text>
      <ul className={classes.list}>
        {worry.map((row) => <MachineCard key={row.machine} row={row} tickets={of(row)} />)}
        {fine.map((row) => <MachineCard key={row.machine} row={row} tickets={of(row)} />)}
      </ul>
    </div>
  );
}
