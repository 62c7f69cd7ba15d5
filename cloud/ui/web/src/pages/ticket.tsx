import { Anchor, Button, Text, Title } from '@mantine/core';
import { lazy, Suspense } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useParams } from 'react-router';
import type { BoardRow, Ticket, Why } from '../api/client';
import { useAdvisory, useBoard, useProfile, useStep, useTicket, useTicketWhy, type Doing, type Step } from '../api/queries';
import { decides, useRole, works } from '../api/session';
import { EvidenceList } from '../inbox/evidence';
import { Forecast, Reasons } from '../machine/cards';
import { OtherUnits } from '../machine/units';
import { bandWords, counted, leftText } from '../parts/band';
import { BusyButton, useKept } from '../parts/busy';
import { PageProblem } from '../parts/failing';
import { useFormats } from '../parts/format';
import { Due, OrderBy, OwnClock, SeverityMark } from '../parts/marks';
import { useNotice } from '../parts/notice';
import { useOpened } from '../parts/opened';
import { useActor } from '../parts/prefs';
import { useTitle } from '../parts/title';
import { Waiting } from '../parts/waiting';
import { TicketMark } from '../tickets/mark';
import { Talk } from '../tickets/talk';
import classes from '../tickets/tickets.module.css';
import { machineLink, machineNow } from '../parts/machines';

const StepDialog = lazy(() => import('../tickets/resolve'));

const NEXT = {
  new: 'nextNew', in_progress: 'nextInProgress', resolved: 'nextResolved',
  closed_confirmed: 'nextDone', closed_unconfirmed: 'nextDone', cancelled: 'nextDone',
} as const;

function Next({ ticket, profile }: { ticket: Ticket; profile: string | undefined }) {
  const { t } = useTranslation();
  const actor = useActor();
  const step = useStep();
  const { fail } = useNotice();
  const { data: type } = useProfile(profile);
  const dialog = useOpened<'resolve' | 'reopen' | 'cancel', Ticket, Doing>(ticket.id, useStep());
  const { part, keep } = useKept<HTMLElement>();
  const act = (what: Step) => step.mutate({ ticket, step: what, actor }, { onSuccess: keep, onError: fail });
  const role = useRole();
  const open = ticket.state === 'new' || ticket.state === 'in_progress';
  const working = open && works(role);
  return (
    <section className={`card ${classes.next}`} aria-labelledby="next" {...part}>
      <h2 id="next">{t('ticket.next')}</h2>
      <Text>
        {role === 'customer' ? t(`ticketStateCustomer.${ticket.state}`) : t(`ticket.${NEXT[ticket.state]}`)}
      </Text>
      <div className={classes.actions}>
        {ticket.state === 'new' && working && (
          <BusyButton busy={step.isPending} onClick={() => act({ kind: 'acknowledge' })}>{t('ticket.take')}</BusyButton>
        )}
        {working && (
          <Button variant={ticket.state === 'new' ? 'default' : 'filled'} onClick={() => dialog.open('resolve', ticket)}>
            {t('ticket.resolve')}
          </Button>
        )}
        {ticket.state === 'resolved' && (
          <>
            <BusyButton busy={step.isPending} onClick={() => act({ kind: 'close', confirmed: true })}>{t('ticket.confirm')}</BusyButton>
            {works(role) && (
              <BusyButton busy={step.isPending} variant="default" onClick={() => act({ kind: 'close', confirmed: false })}>
                {t('ticket.close')}
              </BusyButton>
            )}
            <Button variant="default" onClick={() => dialog.open('reopen', ticket)}>{t('ticket.reopen')}</Button>
          </>
        )}
        {open && decides(role) && (
          <Button variant="subtle" color="red" c="var(--state-alarm)" px="xs" onClick={() => dialog.open('cancel', ticket)}>{t('ticket.cancel')}</Button>
        )}
      </div>
      {dialog.opened && (
        <Suspense>
          <StepDialog
            {...dialog.opened} ticket={dialog.opened.seen} type={type} busy={dialog.busy} close={dialog.close}
            act={(what) => dialog.opened && dialog.send({ ticket: dialog.opened.seen, step: what, actor })}
          />
        </Suspense>
      )}
    </section>
  );
}

function Facts({ ticket, row, why }: { ticket: Ticket; row: BoardRow | undefined; why: Why | undefined }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const now = row ? machineNow(row) : Date.now();
  const open = ticket.state === 'new' || ticket.state === 'in_progress';
  const life = counted(why?.life, why?.life_at, open ? now : Date.parse(ticket.resolved ?? ticket.closed ?? ticket.opened));
  return (
    <section className="card">
      <div className={classes.key}>
        <div>
          <h3>{t('ticket.due')}</h3>
          <div className="strong dates">{formats.days(ticket.due_earliest, ticket.due_latest)}</div>
          {open && <div className="small"><Due latest={ticket.due_latest} now={now} /></div>}
        </div>
        <div>
          <h3>{t('inbox.life')}</h3>
          <div className="strong">{leftText(life, t) ?? t('board.notEnough')}</div>
          {life && (life.p90_s ?? 1) > 0 && <div className="dim small">{bandWords(life, formats, t)}</div>}
        </div>
        <div>
          <h3>{t('ticket.action')}</h3>
          <div className="break">{formats.text(ticket.action, '')}</div>
          <div className="dim small">{t('ticket.duration')} {t('ticket.hours', { n: ticket.duration_h })}</div>
        </div>
        <div>
          <h3>{t('ticket.part')}</h3>
          <div className="break">{ticket.part ?? t('common.none')}</div>
          {ticket.order_by && (
            <div className="small">
              {open ? <OrderBy at={ticket.order_by} now={now} /> : `${t('due.order')} ${formats.date(ticket.order_by)}`}
            </div>
          )}
        </div>
        <div>
          <h3>{t('ticket.assignee')}</h3>
          <div className="break">{ticket.assignee ?? t('tickets.nobody')}</div>
        </div>
        <div>
          <h3>{t('ticket.opened')}</h3>
          <div>{formats.moment(ticket.opened)}</div>
        </div>
        {ticket.verdict && (
          <div>
            <h3>{t('ticket.verdict')}</h3>
            <div className="strong">{t(`ticket.verdict_${ticket.verdict}`)}</div>
            {ticket.as_found && <div className="break">{ticket.as_found}</div>}
          </div>
        )}
      </div>
      <div><OwnClock clock={ticket.clock} /></div>
    </section>
  );
}

export default function TicketPage() {
  const { ticket: id = '' } = useParams();
  const { t } = useTranslation();
  const formats = useFormats();
  const { data: ticket, error } = useTicket(id);
  const { data: advisory } = useAdvisory(ticket?.advisory_id);
  const { data: board } = useBoard();
  const { data: why } = useTicketWhy(id);
  useTitle(ticket ? t('ticket.number', { number: ticket.number }) : t('tickets.title'));
  if (!ticket) return error ? <PageProblem error={error} /> : <Waiting />;
  const row = board?.items.find((one) => one.machine === ticket.machine);
  return (
    <>
      <Anchor component={Link} to="/tickets" size="sm" className="screen">‹ {t('tickets.title')}</Anchor>
      <div className={classes.head}>
        <Title order={1}>#{ticket.number} {formats.text(ticket.title, ticket.mode)}</Title>
        <SeverityMark severity={ticket.severity} />
        <TicketMark state={ticket.state} />
        <Anchor component={Link} to={machineLink(ticket.machine)} className="break">
          {row?.name ?? ticket.machine}
        </Anchor>
        {row && row.name !== ticket.machine && <span className="dim small break">{ticket.machine}</span>}
      </div>
      <div className={classes.columns}>
        <Next ticket={ticket} profile={row?.profile ?? advisory?.profile} />
        <div className={`${classes.stack} ${classes.told}`}>
          <Facts ticket={ticket} row={row} why={why} />
          <section className="card" aria-labelledby="why">
            <h2 id="why">{t('ticket.why')}</h2>
            <Reasons why={why} />
            <Forecast words={why?.forecast} />
            <OtherUnits machine={ticket.machine} />
          </section>
          {advisory && (
            <section className="card" aria-labelledby="evidence">
              <h2><span id="evidence">{t('ticket.evidence')}</span> <OwnClock clock={ticket.clock} /></h2>
              <EvidenceList advisory={advisory} plots />
            </section>
          )}
        </div>
        <Talk ticket={ticket} />
      </div>
    </>
  );
}
