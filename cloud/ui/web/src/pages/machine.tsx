import { Anchor, Text, Title } from '@mantine/core';
import { useElementSize } from '@mantine/hooks';
import { lazy, Suspense, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useParams } from 'react-router';
import type { BoardRow, MachineDetail, Signals, Trend } from '../api/client';
import { useBoard, useMachine, useProfile, useSignals, useStaff, useTrend } from '../api/queries';
import { moved, newest, presetFor, zoomed, type Preset, type Range } from '../charts/range';
import { StateStrip } from '../charts/strip';
import { useWatch } from '../live';
import { HistoryCard, PartsCard, QualityCard, WhyCard } from '../machine/cards';
import { SignalChart, type View } from '../machine/signal';
import { Export, ForecastSwitch, MOST_CHARTS, SignalChoice, Toolbar } from '../machine/toolbar';
import { Trends } from '../machine/trends';
import classes from '../machine/machine.module.css';
import { useAddress } from '../parts/address';
import { PageProblem } from '../parts/failing';
import { DAY, useFormats } from '../parts/format';
import { Ago, DaysLeft, HealthBar, StateMark } from '../parts/marks';
import { standing } from '../parts/rank';
import { useTitle } from '../parts/title';
import { Waiting } from '../parts/waiting';

const DEFAULT_CHARTS = 4;
const FORECAST_MS = 60 * DAY * 1000;

/** The signals that matter now come first: of conditions, of the life that ends first, scored. */
function defaults(machine: MachineDetail, signals: Signals, trend: Trend | undefined): string[] {
  const stored = new Set(signals.items.filter((one) => one.stored).map((one) => one.signal));
  const assessment = machine.assessment;
  const wanted = [
    ...(assessment?.conditions.filter((one) => one.active).map((one) => one.signal) ?? []),
    ...(trend?.lives.flatMap((one) => (one.signal ? [one.signal] : [])) ?? []),
    ...(assessment?.contributions.map((one) => one.signal) ?? []),
    ...signals.items.filter((one) => one.role === 'condition').map((one) => one.signal),
    ...signals.items.map((one) => one.signal),
  ];
  return [...new Set(wanted)].filter((one) => stored.has(one)).slice(0, DEFAULT_CHARTS);
}

const Diagnostics = lazy(() => import('../machine/diagnostics'));

/** Questions to the device are asked now and then: their part of the page comes when it is opened. */
function Asking({ machine, signals }: { machine: string; signals: Signals | undefined }) {
  const { t } = useTranslation();
  const [open, setOpen] = useState(false);
  return (
    <details className="card" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary className={classes.asking}><h2>{t('diagnostics.title')}</h2></summary>
      {open && (
        <Suspense fallback={<Waiting />}>
          <Diagnostics machine={machine} signals={signals} />
        </Suspense>
      )}
    </details>
  );
}

interface Choice {
  preset: Preset | null;
  fixed: Range | null;
  forecast: boolean;
}

function Charts({ machine, signals, trend, row }: {
  machine: MachineDetail;
  signals: Signals;
  trend: Trend | undefined;
  row: BoardRow | undefined;
}) {
  const { t } = useTranslation();
  const [params, changeAddress] = useAddress();
  const { data: type } = useProfile(machine.profile);
  const { ref, width } = useElementSize();
  const heard = signals.items.map((one) => Date.parse(one.at ?? machine.first));
  const end = Math.max(Date.parse(row?.data ?? machine.seen ?? machine.first), ...heard);
  const first = Math.min(trend?.at_ms[0] ?? Infinity, Date.parse(machine.first), end);
  const [choice, setChoice] = useState<Choice>({ preset: null, fixed: null, forecast: false });
  const preset = choice.preset ?? presetFor(first, end);
  const left = row?.left?.p90_s;
  const ahead = choice.forecast ? Math.min(FORECAST_MS, Math.max(0, left ?? 0) * 1000 * 1.1) : 0;
  const followed = newest(preset, first, end, ahead);
  const range = choice.fixed ?? followed;
  const [known] = useState(() => defaults(machine, signals, trend));
  const asked = params.get('signals');
  const chosen = (asked === null ? known : asked.split(',').filter(Boolean)).slice(0, MOST_CHARTS);
  const fix = (next: Range) => setChoice((before) => ({ ...before, fixed: next }));
  const view: View = useMemo(
    () => ({
      range,
      end,
      buckets: Math.max(100, Math.min(1200, Math.round((width || 800) / 100) * 100)),
      onZoom: fix,
      onReset: () => setChoice((before) => ({ ...before, fixed: null })),
    }),
    [range.from, range.to, end, width],
  );
  const choose = (names: string[]) =>
    changeAddress((next) => next.set('signals', names.join(',')));
  const shown = chosen.flatMap((name) => signals.items.find((one) => one.signal === name) ?? []);
  return (
    <section className={`card ${classes.charts}`} aria-label={t('machine.signals')} ref={ref}>
      <div className={classes.bar}>
        <Toolbar
          preset={choice.fixed ? null : preset}
          follow={choice.fixed === null}
          onPreset={(next) => setChoice((before) => ({ ...before, preset: next, fixed: null }))}
          onFollow={() => (choice.fixed ? view.onReset() : fix(range))}
          onMove={(share) => fix(moved(range, share))}
          onZoom={(factor) => fix(zoomed(range, factor))}
        />
      </div>
      <div className={classes.bar}>
        <div className={classes.toolbar}>
          <SignalChoice signals={signals.items} chosen={chosen} choose={choose} />
          <Export machine={machine.id} signals={chosen} range={range} />
          <ForecastSwitch
            forecast={choice.forecast}
            onForecast={(on) => setChoice((before) => ({ ...before, forecast: on, fixed: null }))}
          />
        </div>
        <Text size="xs" c="dimmed" visibleFrom="sm">{t('machine.zoomHint')}</Text>
      </div>
      {trend && <StateStrip trend={trend} range={range} end={end} clock={machine.clock} />}
      {shown.length === 0 && <Text c="dimmed">{t('machine.noSignals')}</Text>}
      {shown.map((one) => (
        <SignalChart
          key={one.signal} machine={machine.id} signal={one} trend={trend} type={type}
          forecast={choice.forecast} view={view}
        />
      ))}
      {trend && trend.at_ms.length > 0 && <Trends trend={trend} type={type} view={view} />}
    </section>
  );
}

export default function Machine() {
  const { machine: id = '' } = useParams();
  const { t } = useTranslation();
  const formats = useFormats();
  const { data: machine, error } = useMachine(id);
  const { data: signals } = useSignals(id);
  const { data: trend } = useTrend(id);
  const { data: board } = useBoard();
  const { data: type } = useProfile(machine?.profile);
  const staff = useStaff();
  const row = board?.items.find((one) => one.machine === id);
  useWatch(id);
  useTitle(machine?.name ?? id);
  if (!machine) return error ? <PageProblem error={error} /> : <Waiting />;
  return (
    <>
      <Anchor component={Link} to="/" size="sm">‹ {t('machine.back')}</Anchor>
      <div className={classes.head}>
        <Title order={1}>{machine.name ?? machine.id}</Title>
        <StateMark state={row ? standing(row) : machine.state} />
        <span className="dim small break">
          {formats.text(type?.title, machine.profile)} · {machine.id}
        </span>
      </div>
      <div className={classes.facts}>
        <span><span className="dim small">{t('board.health')} </span><HealthBar health={row?.health ?? machine.health} /></span>
        <span><span className="dim small">{t('board.left')} </span><DaysLeft left={row?.left ?? null} /></span>
        <span className="small"><span className="dim">{t('board.heard')} </span><Ago at={row?.heard ?? null} /></span>
        {machine.clock === 'data' && row?.data && (
          <span className="small"><span className="dim">{t('machine.lastReading')} </span>{formats.on(row.clock, formats.moment(row.data))}</span>
        )}
      </div>
      <div className={classes.columns}>
        <WhyCard machine={machine} row={row} signals={signals} />
        <div className={`${classes.side} ${classes.seen}`}>
          {signals && trend ? (
            <Charts key={id} machine={machine} signals={signals} trend={trend} row={row} />
          ) : (
            <Waiting />
          )}
          {staff && <Asking key={`d${id}`} machine={id} signals={signals} />}
        </div>
        <div className={classes.side}>
          <PartsCard machine={id} />
          <HistoryCard machine={id} type={type} clock={machine.clock} />
          <QualityCard machine={machine} row={row} signals={signals} />
        </div>
      </div>
    </>
  );
}
