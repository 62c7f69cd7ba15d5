import { Anchor, Text, Title } from '@mantine/core';
import { useElementSize } from '@mantine/hooks';
import { lazy, Suspense, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useParams } from 'react-router';
import type { BoardRow, MachineDetail, Signals, Trend } from '../api/client';
import { useBoard, useMachine, useProfile, useSignals, useStaff, useTrend } from '../api/queries';
import { moved, newest, PRESETS, presetFor, zoomed, type Preset, type Range } from '../charts/range';
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

/** The name of a machine's type, where there is a profile of that name. */
const typeOf = (machine: MachineDetail | undefined): string | undefined =>
  machine && machine.profile_version !== null ? machine.profile : undefined;

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

/** The piece of time that the address names. */
function spanIn(params: URLSearchParams): Range | null {
  const [from, to] = ['from', 'to'].map((name) => Date.parse(params.get(name) ?? '')) as [number, number];
  return from < to ? { from, to } : null;
}

/** What is looked at stands in the address: a link shows a colleague the same. */
function useLook() {
  const [params, changeAddress] = useAddress();
  const named = params.get('range');
  const [forecast, setForecast] = useState(params.has('forecast')); // a switch answers at once
  const put = (changes: Record<string, string | null>) =>
    changeAddress((next) => {
      for (const [name, value] of Object.entries(changes)) {
        if (value === null) next.delete(name);
        else next.set(name, value);
      }
    });
  return {
    signals: params.get('signals'),
    preset: named !== null && Object.hasOwn(PRESETS, named) ? (named as Preset) : null,
    fixed: spanIn(params),
    forecast,
    choose: (names: string[]) => put({ signals: names.join(',') }),
    follow: (preset?: Preset) => put({ from: null, to: null, ...(preset ? { range: preset } : {}) }),
    fix: ({ from, to }: Range) => put({ from: new Date(from).toISOString(), to: new Date(to).toISOString() }),
    foresee: (on: boolean) => {
      setForecast(on);
      put({ forecast: on ? '1' : null, from: null, to: null });
    },
  };
}

function Charts({ machine, signals, trend, row }: {
  machine: MachineDetail;
  signals: Signals;
  trend: Trend | undefined;
  row: BoardRow | undefined;
}) {
  const { t } = useTranslation();
  const look = useLook();
  const { data: type } = useProfile(typeOf(machine));
  const { ref, width } = useElementSize();
  const heard = signals.items.map((one) => Date.parse(one.at ?? machine.first));
  const end = Math.max(Date.parse(row?.data ?? machine.seen ?? machine.first), ...heard);
  const first = Math.min(trend?.at_ms[0] ?? Infinity, Date.parse(machine.first), end);
  const preset = look.preset ?? presetFor(first, end);
  const left = row?.left?.p90_s;
  const ahead = look.forecast ? Math.min(FORECAST_MS, Math.max(0, left ?? 0) * 1000 * 1.1) : 0;
  const followed = newest(preset, first, end, ahead);
  const range = look.fixed ?? followed;
  const [known] = useState(() => defaults(machine, signals, trend));
  const chosen = (look.signals === null ? known : look.signals.split(',').filter(Boolean)).slice(0, MOST_CHARTS);
  const view: View = useMemo(
    () => ({
      range,
      end,
      buckets: Math.max(100, Math.min(1200, Math.round((width || 800) / 100) * 100)),
      onZoom: look.fix,
      onReset: () => look.follow(),
    }),
    [range.from, range.to, end, width],
  );
  const shown = chosen.flatMap((name) => signals.items.find((one) => one.signal === name) ?? []);
  return (
    <section className={`card ${classes.charts}`} aria-label={t('machine.signals')} ref={ref}>
      <div className={classes.bar}>
        <Toolbar
          preset={look.fixed ? null : preset}
          follow={look.fixed === null}
          onPreset={look.follow}
          onFollow={() => (look.fixed ? look.follow() : look.fix(range))}
          onMove={(share) => look.fix(moved(range, share))}
          onZoom={(factor) => look.fix(zoomed(range, factor))}
        />
      </div>
      <div className={classes.bar}>
        <div className={classes.toolbar}>
          <SignalChoice signals={signals.items} chosen={chosen} choose={look.choose} />
          <Export machine={machine.id} signals={chosen} range={range} />
          {(trend?.lives.length ?? 0) > 0 && <ForecastSwitch forecast={look.forecast} onForecast={look.foresee} />}
        </div>
        <Text size="xs" c="dimmed" visibleFrom="sm">{t('machine.zoomHint')}</Text>
      </div>
      {trend && <StateStrip trend={trend} range={range} end={end} clock={machine.clock} />}
      {shown.length === 0 && <Text c="dimmed">{t('machine.noSignals')}</Text>}
      {shown.map((one) => (
        <SignalChart
          key={one.signal} machine={machine.id} signal={one} trend={trend} type={type}
          forecast={look.forecast} view={view}
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
  const { data: type } = useProfile(typeOf(machine));
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
