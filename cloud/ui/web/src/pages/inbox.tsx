import { Anchor, Button, SegmentedControl, Text, Title } from '@mantine/core';
import { lazy, Suspense, useEffect, useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useNavigate, useParams, useSearchParams } from 'react-router';
import type { Advisory, AdvisoryState, BoardRow } from '../api/client';
import { useAdvisories, useAdvisory, useBoard, useDecide, useWhy, type Deciding, type Decision } from '../api/queries';
import { decides, useRole } from '../api/session';
import { EvidenceList } from '../inbox/evidence';
import classes from '../inbox/inbox.module.css';
import { Sentences } from '../machine/cards';
import { bandWords, counted, leftText } from '../parts/band';
import { BusyButton, useKept } from '../parts/busy';
import { Problem } from '../parts/failing';
import { useFormats } from '../parts/format';
import { Icon } from '../parts/icons';
import { Due, OrderBy, OwnClock, SeverityMark } from '../parts/marks';
import { useNotice } from '../parts/notice';
import { useOpened } from '../parts/opened';
import { useActor } from '../parts/prefs';
import { useTitle } from '../parts/title';
import { Waiting } from '../parts/waiting';
import { machineLink, machineNow } from '../parts/machines';

const DecisionDialog = lazy(() => import('../inbox/decide'));

const FOLDERS: Record<string, AdvisoryState[]> = {
  open: ['open'],
  deferred: ['deferred'],
  done: ['accepted', 'rejected', 'verified', 'expired', 'closed'],
  shadow: ['shadow'],
};
type Folder = 'open' | 'deferred' | 'done' | 'shadow';

const urgent = (a: Advisory, b: Advisory): number =>
  b.severity - a.severity || Date.parse(a.due_latest) - Date.parse(b.due_latest);

/** Whether nothing can be late any more. */
const over = (one: Advisory): boolean =>
  one.verdict !== null || ['rejected', 'verified', 'expired', 'closed'].includes(one.state);

function useNames(): Map<string, BoardRow> {
  const { data } = useBoard();
  return useMemo(() => new Map(data?.items.map((row) => [row.machine, row])), [data]);
}

function Item({ advisory, row, current, to }: {
  advisory: Advisory;
  row: BoardRow | undefined;
  current: boolean;
  to: string;
}) {
  const { t } = useTranslation();
  const formats = useFormats();
  return (
    <li>
      <Link to={to} className={classes.item ?? ''} aria-current={current}>
        <span className={classes.itemTop}>
          <SeverityMark severity={advisory.severity} />
          <span className="dim small nowrap">
            {row && !over(advisory) ? <Due latest={advisory.due_latest} now={machineNow(row)} /> : formats.on(advisory.clock, formats.date(advisory.due_latest))}
          </span>
        </span>
        <span className="strong break">{formats.text(advisory.title, advisory.mode)}</span>
        <span className="small break">{row?.name ?? advisory.machine}</span>
        <span className="dim small">
          {shelved(advisory) ? t('inbox.shelved') : t(`advisoryState.${advisory.state}`)} · {formats.on(advisory.clock, formats.moment(advisory.opened))}
          {advisory.acknowledged_by && ` · ${t('inbox.acknowledgedBy', { who: advisory.acknowledged_by })}`}
        </span>
      </Link>
    </li>
  );
}

type Dialog = 'snooze' | 'shelve' | 'reject';

/** Put away until it gets worse: deferred without an end. */
const shelved = (one: Advisory): boolean => one.state === 'deferred' && one.defer_until === null;

function Actions({ advisory, decide, ask, busy }: {
  advisory: Advisory;
  decide: (decision: Decision) => void;
  ask: (dialog: Dialog) => void;
  busy: boolean;
}) {
  const { t } = useTranslation();
  const may = decides(useRole());
  const waiting = advisory.state === 'open' || advisory.state === 'deferred';
  return (
    <div className={classes.actions}>
      {waiting && may && (
        <>
          <BusyButton busy={busy} onClick={() => decide({ kind: 'accept' })} leftSection={<Icon name="tickets" />}>
            {t('inbox.accept')}
          </BusyButton>
          <Button variant="default" onClick={() => ask('snooze')}>{t('inbox.snooze')}</Button>
          <Button variant="default" onClick={() => ask('shelve')}>{t('inbox.shelve')}</Button>
          <Button variant="default" onClick={() => ask('reject')}>{t('inbox.dismiss')}</Button>
        </>
      )}
      {waiting && !advisory.acknowledged_by && (
        <BusyButton variant="default" busy={busy} onClick={() => decide({ kind: 'acknowledge' })}>
          {t('inbox.acknowledge')}
        </BusyButton>
      )}
      {advisory.ticket_id && (
        <Button component={Link} to={`/tickets/${advisory.ticket_id}`} variant={waiting ? 'default' : 'filled'}>
          {t('inbox.ticket')}
        </Button>
      )}
      <Button component={Link} to={machineLink(advisory.machine)} variant="default">{t('inbox.machine')}</Button>
    </div>
  );
}

function Detail({ advisory, row, decide, ask, busy, folder, part }: {
  part: object; // what keeps the keyboard
  advisory: Advisory;
  row: BoardRow | undefined;
  decide: (decision: Decision) => void;
  ask: (dialog: Dialog) => void;
  busy: boolean;
  folder: string;
}) {
  const { t } = useTranslation();
  const formats = useFormats();
  const now = row ? machineNow(row) : Date.now();
  const { data: why } = useWhy(advisory.id);
  const life = counted(why?.life, why?.life_at, over(advisory) ? Date.parse(advisory.last) : now);
  return (
    <article className={`card ${classes.detail}`} aria-labelledby="advisory" {...part}>
      <Anchor component={Link} to={`/inbox${folder}`} size="sm" className={classes.back ?? ''}>
        ‹ {t('inbox.title')}
      </Anchor>
      <div className={classes.head}>
        <SeverityMark severity={advisory.severity} />
        <h2 id="advisory" className="break">{formats.text(advisory.title, advisory.mode)}</h2>
        <span className="dim break">{row?.name ?? advisory.machine}</span>
      </div>
      <Actions advisory={advisory} decide={decide} ask={ask} busy={busy} />
      {advisory.acknowledged_by && (
        <Text size="sm" className="break">
          {t('inbox.acknowledgedBy', { who: advisory.acknowledged_by })}
          {advisory.acknowledged && <span className="dim"> · {formats.on(advisory.clock, formats.moment(advisory.acknowledged))}</span>}
        </Text>
      )}
      {advisory.decided_by && (
        <Text size="sm" className="break">
          {shelved(advisory) ? t('inbox.shelved') : t(`advisoryState.${advisory.state}`)}
          {t('inbox.by', { who: formats.who(advisory.decided_by) })}
          {advisory.reason && t('inbox.because', { reason: advisory.reason })}
          {advisory.state === 'deferred' && advisory.defer_until && ` · ${t('inbox.snoozed', { time: formats.on(advisory.clock, formats.moment(advisory.defer_until)) })}`}
        </Text>
      )}
      <div className={classes.two}>
        <div>
          <h3>{t('due.window')}</h3>
          <div className="dates">{formats.days(advisory.due_earliest, advisory.due_latest)}</div>
          {!over(advisory) && <div className="dim small"><Due latest={advisory.due_latest} now={now} /></div>}
        </div>
        <div>
          <h3>{t('inbox.life')}</h3>
          <div>{leftText(life, t) ?? t('board.notEnough')}</div>
          {life && (life.p90_s ?? 1) > 0 && <div className="dim small">{bandWords(life, formats, t)}</div>}
          <div className="dim small">
            {t('common.labelled', { label: t('confidence.label'), value: t(`confidence.${advisory.confidence}`) })}
          </div>
        </div>
        <div>
          <h3>{t('inbox.action')}</h3>
          <div className="break">{formats.text(advisory.action, '')}</div>
        </div>
        <div>
          <h3>{t('ticket.part')}</h3>
          <div className="break">{advisory.part ?? t('common.none')}</div>
          <div className="dim small">
            {advisory.order_by && (
              <>{over(advisory) ? `${t('due.order')} ${formats.date(advisory.order_by)}` : <OrderBy at={advisory.order_by} now={now} />} · </>
            )}
            {t('ticket.duration')} {t('ticket.hours', { n: advisory.duration_h })}
          </div>
        </div>
      </div>
      <OwnClock clock={advisory.clock} />
      <section aria-labelledby="why">
        <h3 id="why">{t('inbox.why')}</h3>
        <Sentences advisory={advisory.id} />
      </section>
      <section aria-labelledby="evidence">
        <h3><span id="evidence">{t('inbox.evidence')}</span> <OwnClock clock={advisory.clock} /></h3>
        <EvidenceList advisory={advisory} plots />
      </section>
    </article>
  );
}

/** What the keys do, for who has a keyboard. */
function Keys() {
  const { t } = useTranslation();
  return (
    <ul className={classes.keys} aria-label={t('inbox.keys')}>
      {t('inbox.keysList').split(' · ').map((one) => {
        const [key = '', what] = one.split(/: |：/);
        return <li key={key}><kbd>{key}</kbd> {what}</li>;
      })}
    </ul>
  );
}

/** Keys that work while nobody types and no dialogue is open. */
function useKeys(keys: Record<string, () => void>, off: boolean): void {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const typing = (event.target as HTMLElement).closest('input, textarea, select, [role=dialog]');
      if (off || typing || event.ctrlKey || event.metaKey || event.altKey) return;
      const act = keys[event.key.toLowerCase()];
      if (act) {
        event.preventDefault();
        act();
      }
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  });
}

export default function Inbox() {
  const { t } = useTranslation();
  const formats = useFormats();
  const navigate = useNavigate();
  const { advisory: chosen } = useParams();
  const [params] = useSearchParams();
  const folder = (params.get('show') ?? 'open') as Folder;
  const query = params.get('show') ? `?show=${folder}` : '';
  const names = useNames();
  const list = useAdvisories({ state: FOLDERS[folder] ?? ['open'] });
  const shadow = useAdvisories({ state: ['shadow'] });
  const one = useAdvisory(chosen);
  const actor = useActor();
  const { say, fail } = useNotice();
  const decide = useDecide();
  const { part, keep } = useKept<HTMLElement>();
  const may = decides(useRole());
  useTitle(t('inbox.title'));
  const items = useMemo(() => [...(list.data ?? [])].sort(urgent), [list.data]);
  const place = items.findIndex((item) => item.id === chosen);
  const current = one.data ?? items[place];
  const row = current && names.get(current.machine);
  const dialog = useOpened<Dialog, Advisory, Deciding>(current?.id, useDecide());
  const go = (to: number) => {
    const next = items[Math.max(0, Math.min(items.length - 1, to))];
    if (next) void navigate(`/inbox/${next.id}${query}`);
  };
  const ask = (kind: Dialog) => current && dialog.open(kind, current);
  const tell = (decision: Decision, done: Advisory) => {
    if (decision.kind === 'accept') say(t('inbox.accepted'));
    else if (decision.kind === 'reject') say(t('inbox.dismissed'));
    else if (decision.kind === 'shelve') say(t('inbox.shelvedDone'));
    else if (decision.kind === 'defer') say(t('inbox.snoozed', { time: formats.on(done.clock, formats.moment(done.defer_until ?? decision.until)) }));
  };
  const act = (decision: Decision) => {
    if (!current) return;
    decide.mutate({ advisory: current, decision, actor }, {
      onSuccess: (done) => {
        keep();
        tell(decision, done);
      },
      onError: fail,
    });
  };
  const waiting = current && (current.state === 'open' || current.state === 'deferred');
  useKeys(
    {
      j: () => go(place + 1),
      k: () => go(place < 0 ? 0 : place - 1),
      ...(waiting
        ? {
            ...(may
              ? {
                  a: () => act({ kind: 'accept' }),
                  s: () => ask('snooze'),
                  h: () => ask('shelve'),
                  d: () => ask('reject'),
                }
              : {}),
            ...(current.acknowledged_by ? {} : { e: () => act({ kind: 'acknowledge' }) }),
          }
        : {}),
      ...(current ? { o: () => void navigate(machineLink(current.machine)) } : {}),
      ...(current?.ticket_id ? { t: () => void navigate(`/tickets/${current.ticket_id}`) } : {}),
    },
    dialog.opened !== null,
  );
  return (
    <>
      <Title order={1} mb={8}>{t('inbox.title')}</Title>
      <div className={classes.columns} data-open={Boolean(chosen)}>
        <div className={classes.listSide}>
          <SegmentedControl
            fullWidth size="xs" mb={8} value={folder} aria-label={t('common.filters')}
            onChange={(value) => void navigate(value === 'open' ? '/inbox' : `/inbox?show=${value}`)}
            data={(['open', 'deferred', 'done', 'shadow'] as const).map((value) => ({ value, label: t(`inbox.${value}`) }))}
          />
          {list.error && <Problem error={list.error} retry={() => void list.refetch()} />}
          {!list.data && !list.error && <Waiting />}
          {list.data && items.length === 0 && (
            <div className="card">
              <Text fw={600}>{folder === 'open' ? t('inbox.empty') : t('inbox.emptyFolder')}</Text>
              {folder === 'open' && <Text size="sm" c="dimmed">{t('inbox.emptyHint')}</Text>}
            </div>
          )}
          {items.length > 0 && (
            <ul className={classes.list}>
              {items.map((item) => (
                <Item
                  key={item.id} advisory={item} row={names.get(item.machine)} current={item.id === chosen}
                  to={`/inbox/${item.id}${query}`}
                />
              ))}
            </ul>
          )}
          {folder !== 'shadow' && (shadow.data?.length ?? 0) > 0 && (
            <Text size="xs" c="dimmed" mt={6}>{t('inbox.suppressed', { count: shadow.data?.length ?? 0 })}</Text>
          )}
          <Keys />
        </div>
        <div className={classes.detailSide}>
          {current ? (
            <Detail
              part={part}
              key={current.id} advisory={current} row={row} decide={act} busy={decide.isPending} folder={query}
              ask={ask}
            />
          ) : chosen && one.error ? (
            <Problem error={one.error} />
          ) : (
            items.length > 0 && <Text c="dimmed" p="md">{t('inbox.select')}</Text>
          )}
        </div>
      </div>
      {dialog.opened && (
        <Suspense>
          <DecisionDialog
            {...dialog.opened} advisory={dialog.opened.seen} now={row ? machineNow(row) : Date.now()}
            busy={dialog.busy} close={dialog.close}
            decide={(decision) =>
              dialog.opened && dialog.send({ advisory: dialog.opened.seen, decision, actor }, (done) => tell(decision, done))}
          />
        </Suspense>
      )}
    </>
  );
}
