/** One signal of a machine: its line, limits, beginnings, and the way to its limit. */
import { memo, useMemo, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import type { MachineType, SignalView, Trend } from '../api/client';
import { useSeries } from '../api/queries';
import type { Fan, Overlay } from '../charts/overlay';
import { Plot } from '../charts/plot';
import { points } from '../charts/points';
import type { Range } from '../charts/range';
import { useReading } from '../live';
import { useFormats } from '../parts/format';
import { Problem } from '../parts/failing';
import classes from './machine.module.css';

export interface View {
  range: Range; // what is shown
  end: number; // ms; newest data
  buckets: number;
  onZoom: (range: Range) => void;
  onReset: () => void;
}

interface Props {
  machine: string;
  signal: SignalView;
  trend: Trend | undefined;
  type: MachineType | undefined;
  forecast: boolean;
  view: View;
}

const NONE: never[] = [];

/** The way from the newest value to the limit of the part that this signal shows. */
function fanOf(
  { signal, trend, type }: Props, by: (value: number) => number, last: number | null | undefined,
): Fan | null {
  const part = type?.parts.find((one) => one.indicator === signal.signal);
  const life = trend?.lives.find((one) => one.component === part?.component);
  const at = trend?.at_ms.at(-1);
  const [p10, p50, p90] = [life?.p10_s.at(-1), life?.p50_s.at(-1), life?.p90_s.at(-1)];
  if (part?.limit === null || part?.limit === undefined || at === undefined) return null;
  if (p10 == null || p50 == null || p90 == null || last == null || p90 <= 0) return null;
  return { at: at / 1000, value: last, limit: by(part.limit), p10, p50, p90 };
}

export const SignalChart = memo(function SignalChart(props: Props) {
  const { machine, signal, trend, forecast, view } = props;
  const { t } = useTranslation();
  const formats = useFormats();
  const readout = useRef<HTMLSpanElement>(null);
  const live = useReading(machine, signal.signal);
  const { data, error } = useSeries(machine, signal.signal, view.range, view.buckets);
  const { unit, by } = formats.convert(signal.unit);
  const drawn = useMemo(
    () => (data && 'bucket_ns' in data ? points(data, by) : null),
    [data, signal.unit, unit],
  );
  const overlay = useMemo((): Overlay => {
    const { alert_low, alert_high, alarm_low, alarm_high } = signal.limits;
    const limits = [
      ...[alert_low, alert_high].map((value) => ({ value, severity: 2 })),
      ...[alarm_low, alarm_high].map((value) => ({ value, severity: 3 })),
    ].flatMap(({ value, severity }) => (value == null ? [] : [{ value: by(value), severity }]));
    const marks = (trend?.beginnings ?? NONE)
      .filter((one) => one.signal === signal.signal)
      .map((one) => ({ at: Date.parse(one.since) / 1000, severity: one.severity }));
    const last = drawn?.y.findLast((one) => one !== null);
    const fan = forecast ? fanOf(props, by, last) : null;
    return { limits, marks, gaps: drawn?.gaps ?? NONE, fan, now: forecast ? view.end / 1000 : null };
  }, [signal, trend, drawn, forecast, view.end, unit]);
  const title = formats.text(signal.title, signal.signal);
  const value = live ? live.value : signal.value;
  const said = formats.quantity(value, signal.unit);
  return (
    <section className={classes.chart} aria-label={title}>
      <header className={classes.chartHead}>
        <h3>{title}</h3>
        <span className="strong nowrap" data-live={signal.signal}>{said}</span>
        <span className={`dim small ${classes.limitWords}`}>{limitWords(signal, formats, t)}</span>
        <span ref={readout} className={`small ${classes.readout}`} aria-hidden />
      </header>
      {error && <Problem error={error} />}
      <Plot
        x={drawn?.x ?? NONE}
        lines={useMemo(() => [{ y: drawn?.y ?? NONE, label: signal.signal }], [drawn, signal.signal])}
        range={view.range}
        label={t('common.labelled', { label: t('machine.chartOf', { signal: title }), value: said })}
        overlay={overlay}
        value={formats.tick(signal.unit)}
        onZoom={view.onZoom}
        onReset={view.onReset}
        readout={(seen) => {
          if (readout.current) readout.current.textContent = seen && `${formats.moment(seen.at)} · ${formats.converted(seen.values[0], signal.unit)}`;
        }}
      />
      {drawn && drawn.x.length === 0 && <p className={`dim small ${classes.empty}`}>{t('machine.noData')}</p>}
    </section>
  );
});

function limitWords(
  { limits, unit }: SignalView, formats: ReturnType<typeof useFormats>, t: (key: string) => string,
): string {
  const alert = formats.beyond(limits.alert_low, limits.alert_high, unit);
  const alarm = formats.beyond(limits.alarm_low, limits.alarm_high, unit);
  return [alert && `${t('severity.2')}\u00a0${alert}`, alarm && `${t('severity.3')}\u00a0${alarm}`]
    .filter(Boolean)
    .join(' · ');
}
