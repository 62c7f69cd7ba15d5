/** What the models said over time: health, anomaly score, days left as a band. */
import type { TFunction } from 'i18next';
import { memo, useMemo, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import type { MachineType, Trend } from '../api/client';
import { Plot, type Line } from '../charts/plot';
import { leftText } from '../parts/band';
import { figure } from '../parts/figure';
import { DAY, useFormats } from '../parts/format';
import classes from './machine.module.css';
import type { View } from './signal';

const FAR_D = 60; // days; what is farther away would flatten what is near

function TrendPlot({ title, x, lines, fixed, cap, digits = 0, written, view, height }: {
  title: string;
  x: number[];
  lines: Line[];
  fixed?: [number, number];
  cap?: number;
  digits?: number; // of a figure without a unit
  written?: (values: (number | null)[]) => string; // what one moment's values of the lines say together
  view: View;
  height: number;
}) {
  const formats = useFormats();
  const { t } = useTranslation();
  const readout = useRef<HTMLSpanElement>(null);
  const tick = (value: number, step?: number) => (written ? figure(value, formats.language, step) : value.toFixed(digits));
  const words = written ?? (([value = null]: (number | null)[]) => (value === null ? t('common.none') : tick(value)));
  const newest = lines[0]?.y.findLastIndex((one) => one !== null) ?? -1;
  const said = words(lines.map((one) => one.y[newest] ?? null));
  return (
    <section className={classes.chart} aria-label={title}>
      <header className={classes.chartHead}>
        <h3>{title}</h3>
        <span className="strong nowrap">{said}</span>
        <span ref={readout} className={`small ${classes.readout}`} aria-hidden />
      </header>
      <Plot
        x={x}
        lines={lines}
        range={view.range}
        label={t('common.labelled', { label: t('machine.chartOf', { signal: title }), value: said })}
        height={height}
        {...(fixed ? { fixed } : {})}
        {...(cap === undefined ? {} : { cap })}
        value={tick}
        onZoom={view.onZoom}
        onReset={view.onReset}
        readout={(seen) => {
          if (readout.current) readout.current.textContent = seen && `${formats.moment(seen.at)} · ${words(seen.values)}`;
        }}
      />
    </section>
  );
}

/** The band of a moment's days: earliest, middle, latest. */
function bandOf(days: (number | null)[], t: TFunction): string | null {
  const [p10_s, p50_s, p90_s] = days.map((one) => (one === null ? null : one * DAY)) as [number | null, number | null, number | null];
  return leftText({ p10_s, p50_s, p90_s }, t);
}

/** What was said last holds until now. */
const held = <T,>(column: T[]): T[] => (column.length ? [...column, column.at(-1) as T] : column);

export const Trends = memo(function Trends({ trend, type, view }: {
  trend: Trend;
  type: MachineType | undefined;
  view: View;
}) {
  const { t } = useTranslation();
  const formats = useFormats();
  const end = view.end / 1000;
  const x = useMemo(() => [...trend.at_ms.map((at) => at / 1000), end], [trend, end]);
  const health = useMemo(() => [{ y: held(trend.health), label: 'health', stepped: true }], [trend]);
  const score = useMemo(
    () => [{ y: held(trend.score), label: 'score', colour: '--state-silent', stepped: true }], [trend],
  );
  const lives = useMemo(
    () =>
      trend.lives
        .filter((life) => life.p50_s.some((one) => one !== null))
        .map((life) => {
          const days = (column: (number | null)[]) =>
            held(column).map((one) => (one === null ? null : Math.max(0, one) / DAY));
          return {
            component: life.component,
            basis: life.basis,
            cap: Math.max(FAR_D, 3 * (days(life.p90_s).findLast((one) => one !== null) ?? 0)),
            lines: [
              { y: days(life.p10_s), label: 'p10', band: 'low' as const },
              { y: days(life.p50_s), label: 'p50', colour: '--state-alarm' },
              { y: days(life.p90_s), label: 'p90', band: 'high' as const },
            ],
          };
        }),
    [trend],
  );
  const part = (component: string) =>
    formats.text(type?.parts.find((one) => one.component === component)?.title, component);
  return (
    <>
      <TrendPlot title={t('machine.anomaly')} x={x} lines={score} fixed={[0, 1.05]} digits={2} view={view} height={104} />
      <TrendPlot title={t('machine.healthChart')} x={x} lines={health} fixed={[0, 105]} view={view} height={104} />
      {lives.map(({ component, basis, lines, cap }) => (
        <TrendPlot
          key={`${component}/${basis}`} cap={cap} x={x} lines={lines}
          title={t('machine.lifeOf', { part: part(component), basis: t(`machine.basis.${basis}`) })}
          written={(days) => bandOf(days, t) ?? t('common.none')} view={view} height={124}
        />
      ))}
    </>
  );
});
