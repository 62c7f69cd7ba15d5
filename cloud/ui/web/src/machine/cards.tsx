/** The side of the machine page: what is going on, parts, history, data quality. */
import { Anchor, Button, Progress, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import type { Advisory, BoardRow, MachineDetail, MachineType, Part, Signals, Ticket, Why } from '../api/client';
import { useAdvisories, useParts, useQuarantineCounts, useTickets, useWhy } from '../api/queries';
import { bandWords, leftText } from '../parts/band';
import { DAY, useFormats } from '../parts/format';
import { atLimit, checkWords, passed } from '../parts/limits';
import { Ago, Due, OrderBy, OwnClock, SeverityMark } from '../parts/marks';
import { textLanguage } from '../i18n';
import { machineNow } from '../parts/machines';
import { Aside } from './aside';
import classes from './machine.module.css';
import { OtherUnits, UnknownType } from './units';

const OPEN = ['open', 'deferred', 'accepted'];

export function Sentences({ advisory }: { advisory: string }) {
  const { data } = useWhy(advisory);
  return <><Reasons why={data} /><Forecast words={data?.forecast} /></>;
}

/** Sentences of a service's answer in the language of the page. */
function Said({ words }: { words: Record<string, string[]> | undefined }) {
  const formats = useFormats();
  const said = words?.[textLanguage(formats.language)] ?? [];
  return (
    <ul className={classes.why}>
      {said.map((sentence) => <li key={sentence}>{sentence}</li>)}
    </ul>
  );
}

export function Reasons({ why }: { why: Why | undefined }) {
  return <Said words={why?.why} />;
}

/** How a remaining life was estimated and what earlier forecasts came to; nothing without one. */
export function Forecast({ words }: { words: Record<string, string[]> | undefined }) {
  const { t } = useTranslation();
  if (!words?.en?.length) return null;
  return (
    <details className="small">
      <summary>{t('machine.estimated')}</summary>
      <Said words={words} />
    </details>
  );
}

function Concern({ advisory, row }: { advisory: Advisory; row: BoardRow | undefined }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const to = advisory.ticket_id ? `/tickets/${advisory.ticket_id}` : `/inbox/${advisory.id}`;
  return (
    <div className={classes.concern}>
      <div className={classes.concernTop}>
        <SeverityMark severity={advisory.severity} />
        <Anchor component={Link} to={to} fw={600} size="sm" className="break">
          {formats.text(advisory.title, advisory.mode)}
        </Anchor>
      </div>
      <Sentences advisory={advisory.id} />
      <Text size="sm" c="dimmed">
        {t('common.labelled', { label: t('confidence.label'), value: t(`confidence.${advisory.confidence}`) })}
        {row && <> · <Due latest={advisory.due_latest} now={machineNow(row)} /></>}
      </Text>
    </div>
  );
}

export function WhyCard({ machine, row, signals }: {
  machine: MachineDetail;
  row: BoardRow | undefined;
  signals: Signals | undefined;
}) {
  const { t } = useTranslation();
  const formats = useFormats();
  const { data: advisories } = useAdvisories({ machine: machine.id });
  const open = (advisories ?? []).filter((one) => OPEN.includes(one.state) && one.verdict === null);
  const assessment = machine.assessment;
  const known = new Map(signals?.items.map((one) => [one.signal, one]));
  const contributions = assessment?.contributions.filter((one) => one.weight >= 0.02) ?? [];
  return (
    <section className="card" aria-labelledby="why">
      <h2 id="why">{t('machine.why')}</h2>
      {open.length === 0 && contributions.length === 0 && (
        <Text size="sm" c="dimmed">{t(machine.state === 'learning' ? 'state.learningHint' : 'machine.whyNothing')}</Text>
      )}
      <UnknownType machine={machine} />
      <OtherUnits machine={machine.id} />
      {open.map((one) => <Concern key={one.id} advisory={one} row={row} />)}
      {contributions.length > 0 && (
        <>
          <h3 className={classes.sub}>{t('machine.contributors')}</h3>
          <ul className={classes.contributors}>
            {contributions.slice(0, 5).map((one) => (
              <li key={`${one.signal}/${one.check}`}>
                <span className="break">
                  {formats.text(known.get(one.signal)?.title, one.signal)}
                  <span className="dim"> {checkWords(one.check, passed(one, known.get(one.signal)?.limits), t)}</span>
                </span>
                <span className={classes.weight}>
                  <svg width="44" height="8" aria-hidden>
                    <rect width="44" height="8" rx="2" className={classes.rail} />
                    <rect width={44 * one.weight} height="8" rx="2" className={classes.fill} />
                  </svg>
                  {Math.round(one.weight * 100)}%
                </span>
                <span className={classes.found}>
                  <span className="strong">{formats.quantity(one.value, one.unit)}</span>
                  {one.expected !== null && !atLimit(one.check) && (
                    <span className="dim">
                      {' '}{t('machine.expected', { value: formats.quantity(one.expected, one.unit) })}
                    </span>
                  )}
                </span>
              </li>
            ))}
          </ul>
        </>
      )}
      {assessment && (
        <details className={`dim small ${classes.coverage}`}>
          <summary>
            {t('common.labelled', { label: t('machine.coverage'), value: `${Math.round(assessment.coverage * 100)}%` })}
          </summary>
          <div>{t('machine.coverageHint')}</div>
        </details>
      )}
    </section>
  );
}

const BASES = ['wear', 'counter', 'trend', 'hazard', 'prior'] as const;

function PartRow({ part, at }: { part: Part; at: number }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const name = formats.text(part.title, part.component);
  const until = (ends: string | null) => (ends === null ? null : (Date.parse(ends) - at) / 1000);
  const left = { p10_s: until(part.ends_earliest), p50_s: until(part.ends), p90_s: until(part.ends_latest) };
  const percent = part.fraction === null ? null : Math.round(Math.max(0, Math.min(1, part.fraction)) * 100);
  const share = percent === 0 ? t('machine.trace') : `${percent}%`; // as a finding says it in words
  const basis = BASES.find((one) => one === part.basis);
  return (
    <li className={classes.part}>
      <div className={classes.partTop}>
        <span className="strong">{name}</span>
        <span className="strong nowrap" title={bandWords(left, formats, t)}>
          {leftText(left, t) ?? t('board.notEnough')}
        </span>
      </div>
      {percent !== null && (
        <Progress
          value={percent} size={6} radius="sm" aria-label={t('common.labelled', { label: name, value: `${t('machine.fraction')} ${share}` })}
          color={`var(--state-${percent < 15 ? 'alarm' : percent < 35 ? 'alert' : 'normal'})`}
        />
      )}
      <div className="dim small break">
        {part.part}
        {percent !== null && ` · ${t('machine.fraction')} ${share}`}
        {basis && ` · ${t(`machine.basis.${basis}`)}`}
      </div>
      {part.order_by !== null && Date.parse(part.order_by) - at < 400 * DAY * 1000 && (
        <div className="small">
          <OrderBy at={part.order_by} now={at} />
          <span className="dim"> {t('machine.leadTime', { span: formats.short(part.lead_time_d * DAY) })}</span>
        </div>
      )}
      <Forecast words={part.why} />
    </li>
  );
}

/** Every part of the machine's type, also one of which too little is known yet. */
export function PartsCard({ machine }: { machine: string }) {
  const { t } = useTranslation();
  const { data } = useParts(machine);
  if (!data || data.items.length === 0) return null;
  const at = data.at === null ? Date.now() : Date.parse(data.at);
  return (
    <section className="card" aria-labelledby="parts">
      <h2><span id="parts">{t('machine.consumables')}</span> <OwnClock clock={data.clock} /></h2>
      <ul className={classes.parts}>
        {data.items.map((one) => <PartRow key={one.component} part={one} at={at} />)}
      </ul>
    </section>
  );
}

const SHOWN = 5;

export function HistoryCard({ machine, type, clock }: {
  machine: string;
  type: MachineType | undefined;
  clock: MachineDetail['clock'];
}) {
  const { t } = useTranslation();
  const formats = useFormats();
  const { data } = useTickets({ machine });
  const [all, setAll] = useState(false);
  const tickets = data ?? [];
  const part = (one: Ticket) =>
    formats.text(type?.parts.find((p) => p.component === one.replaced)?.title, one.replaced ?? '');
  return (
    <section className="card" aria-labelledby="history">
      <h2><span id="history">{t('machine.history')}</span> {tickets.length > 0 && <OwnClock clock={clock} />}</h2>
      {data && tickets.length === 0 && <Text size="sm" c="dimmed">{t('machine.noHistory')}</Text>}
      <Stack gap={6}>
        {tickets.slice(0, all ? undefined : SHOWN).map((one) => (
          <div key={one.id} className={classes.past}>
            <Anchor component={Link} to={`/tickets/${one.id}`} size="sm" className="break">
              #{one.number} {formats.text(one.title, one.mode)}
            </Anchor>
            <div className="dim small">
              {t(`ticketState.${one.state}`)} · {formats.date(one.opened)}
              {one.verdict && ` · ${t(`ticket.verdict_${one.verdict}`)}`}
              {one.replaced && ` · ${t('machine.replaced', { part: part(one) })}`}
            </div>
          </div>
        ))}
      </Stack>
      {tickets.length > SHOWN && (
        <Button variant="subtle" size="compact-sm" mt={6} onClick={() => setAll(!all)}>
          {all ? t('machine.less') : t('machine.more', { count: tickets.length })}
        </Button>
      )}
    </section>
  );
}

export function QualityCard({ machine, row, signals }: {
  machine: MachineDetail;
  row: BoardRow | undefined;
  signals: Signals | undefined;
}) {
  const { t } = useTranslation();
  const formats = useFormats();
  const { data: counts } = useQuarantineCounts();
  const aside = (counts?.items ?? []).filter((one) => one.device === machine.device);
  const total = aside.reduce((sum, one) => sum + one.count, 0);
  const stored = signals?.items.filter((one) => one.stored).length ?? 0;
  return (
    <section className="card" aria-labelledby="quality">
      <h2 id="quality">{t('machine.quality')}</h2>
      <dl className="facts small">
        <dt>{t('machine.lastHeard')}</dt>
        <dd><Ago at={row?.heard ?? null} /></dd>
        <dt>{t('machine.clock')}</dt>
        <dd>{machine.clock === 'data' ? t('machine.clockData') : t('machine.clockWall')}</dd>
        <dt>{t('machine.lastReading')}</dt>
        <dd>{row?.data ? formats.on(row.clock, formats.moment(row.data)) : t('common.none')}</dd>
        <dt>{t('machine.signalsHeard')}</dt>
        <dd>{stored} / {signals?.items.length ?? 0}</dd>
        <dt>{t('machine.quarantined')}</dt>
        <dd>
          {total === 0 ? t('machine.noGaps') : (
            <Aside device={machine.device} words={t('machine.asideOf', { total, reasons: formats.list(aside.map((one) => t(`aside.${one.reason}`, one.reason))) })} />
          )}
        </dd>
        <dt>{t('machine.device')}</dt>
        <dd>{machine.device}</dd>
        <dt>{t('machine.knownSince')}</dt>
        <dd>{formats.moment(machine.first)}</dd>
      </dl>
    </section>
  );
}
