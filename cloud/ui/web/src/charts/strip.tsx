/** The states of a machine over time, as a strip above its charts. */
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import type { MachineDetail, State, Trend } from '../api/client';
import { useFormats } from '../parts/format';
import { AXIS, RIGHT } from './plot';
import type { Range } from './range';
import classes from './strip.module.css';

interface Piece extends Range {
  state: State;
}

export function pieces(trend: Trend, end: number): Piece[] {
  const found: Piece[] = [];
  trend.at_ms.forEach((at, n) => {
    const state = trend.state[n] ?? 'unknown';
    const last = found.at(-1);
    if (last) last.to = at;
    if (last?.state !== state) found.push({ from: at, to: at, state });
  });
  const last = found.at(-1);
  if (last) last.to = Math.max(last.to, end);
  return found;
}

export function StateStrip({ trend, range, end, clock }: {
  trend: Trend;
  range: Range;
  end: number;
  clock: MachineDetail['clock'];
}) {
  const { t } = useTranslation();
  const { moment, on } = useFormats();
  const shown = useMemo(
    () => pieces(trend, end).filter((one) => one.to > range.from && one.from < range.to),
    [trend, end, range.from, range.to],
  );
  const width = range.to - range.from;
  const words = on(clock, shown.map((one) => `${t(`state.${one.state}`)} ${moment(one.from)}`).join(t('common.comma')));
  return (
    <div className={classes.row}>
      <span className={`dim ${classes.label}`} style={{ width: AXIS }}>{t('machine.states')}</span>
      <svg
        className={classes.strip} viewBox="0 0 1000 10" preserveAspectRatio="none" role="img"
        aria-label={t('common.labelled', { label: t('machine.states'), value: words })} style={{ marginRight: RIGHT }}
      >
        {shown.map((one) => {
          const from = (Math.max(one.from, range.from) - range.from) / width;
          const to = (Math.min(one.to, range.to) - range.from) / width;
          return (
            <rect
              key={one.from} x={from * 1000} width={Math.max(1.5, (to - from) * 1000)} height="10"
              className={classes[one.state]}
            >
              <title>{`${t(`state.${one.state}`)} · ${on(clock, `${moment(one.from)} – ${moment(one.to)}`)}`}</title>
            </rect>
          );
        })}
      </svg>
    </div>
  );
}
