/** Small marks that say one thing each: state, health, days left, freshness, trend. */
import type { TFunction } from 'i18next';
import { memo } from 'react';
import { useTranslation } from 'react-i18next';
import type { LifeLeft, State } from '../api/client';
import { useClock } from '../live';
import { bandWords, leftText } from './band';
import { DAY, useFormats, type Formats } from './format';
import { Icon, type IconName } from './icons';
import classes from './marks.module.css';

export const StateMark = memo(function StateMark({ state }: { state: State }) {
  const { t } = useTranslation();
  return (
    <span className={`state ${classes[state]}`} title={t(`state.${state}Hint`)}>
      <Icon name={state} size={14} />
      {t(`state.${state}`)}
    </span>
  );
});

const SEVERITY: Record<number, [State, IconName]> = {
  1: ['learning', 'alert'], 2: ['alert', 'alert'], 3: ['alarm', 'alarm'],
};

export function SeverityMark({ severity }: { severity: number }) {
  const { t } = useTranslation();
  const [state, icon] = SEVERITY[severity] ?? ['alert', 'alert'];
  return (
    <span className={`state ${classes[state]}`}>
      <Icon name={icon} size={14} />
      {t(`severity.${severity as 1 | 2 | 3}`)}
    </span>
  );
}

export const healthState = (health: number): State =>
  health >= 70 ? 'normal' : health >= 40 ? 'alert' : 'alarm';

export const HealthBar = memo(function HealthBar({ health }: { health: number | null }) {
  const { t } = useTranslation();
  if (health === null) return <span className="dim">{t('common.none')}</span>;
  const value = Math.round(health);
  return (
    <span className={classes.health} title={t('board.healthOf', { value })}>
      <svg width="60" height="8" viewBox="0 0 60 8" preserveAspectRatio="none" aria-hidden>
        <rect width="60" height="8" rx="2" className={classes.rail} />
        <rect width={Math.max(2, value * 0.6)} height="8" rx="2" className={classes[`fill_${healthState(value)}`]} />
      </svg>
      <span className={classes.number}>{value}</span>
    </span>
  );
});

const W = 108;
const H = 24;
const WINDOW_MS = 30 * DAY * 1000;

export const Sparkline = memo(function Sparkline({ at, values }: { at: number[]; values: number[] }) {
  const { t } = useTranslation();
  const last = at.at(-1);
  const first = values[0];
  const end = values.at(-1);
  if (last === undefined || first === undefined || end === undefined || at.length < 2) {
    return <span className="dim">{t('common.none')}</span>;
  }
  const from = last - WINDOW_MS;
  const x = (ms: number) => Math.max(0, ((ms - from) / WINDOW_MS) * (W - 3));
  const y = (value: number) => 2 + (1 - value / 100) * (H - 4);
  const points = at.map((ms, n) => `${x(ms).toFixed(1)},${y(values[n] ?? 0).toFixed(1)}`);
  const label = t('board.trendOf', { from: Math.round(first), to: Math.round(end) });
  return (
    <svg width={W} height={H} viewBox={`0 0 ${W} ${H}`} role="img" aria-label={label} className={classes.spark}>
      <title>{label}</title>
      <line x1="0" x2={W} y1={H - 1} y2={H - 1} className={classes.base} />
      <polyline points={points.join(' ')} className={classes[`line_${healthState(end)}`]} />
      <circle cx={x(last)} cy={y(end)} r="2.2" className={classes[`fill_${healthState(end)}`]} />
    </svg>
  );
});

const HOUR_MS = 3_600_000;

export const DaysLeft = memo(function DaysLeft({ left, stacked }: {
  left: LifeLeft | null;
  stacked?: boolean;
}) {
  const { t } = useTranslation();
  const formats = useFormats();
  const text = leftText(left, t);
  if (!left || text === null) return <span className="dim">{t('common.none')}</span>;
  const urgent = (left.p10_s ?? Infinity) < 7 * DAY;
  return (
    <span className={classes.left} title={bandWords(left, formats, t)}>
      <span className={urgent ? `strong ${classes.urgent}` : 'strong'}>{text}</span>
      {' '}
      <span className={`dim small ${stacked ? classes.leftPart : ''}`}>{formats.text(left.title, left.component)}</span>
    </span>
  );
});

/** "3 s ago", kept current without help from the page. */
export function Ago({ at }: { at: string | null }) {
  const { t } = useTranslation();
  const { short, moment } = useFormats();
  const heard = at === null ? null : Date.parse(at);
  const text = useClock((now) => {
    if (heard === null) return '';
    const seconds = Math.max(0, (now - heard) / 1000);
    return seconds < 1 ? t('ago.now') : t('ago.at', { span: short(seconds) });
  });
  if (at === null) return <span className="dim">{t('ago.never')}</span>;
  return <time dateTime={at} title={moment(at)} className="nowrap">{text}</time>;
}

/** Stands once in a group of times: that they are on the machine's own clock, where they are. */
export function OwnClock({ clock }: { clock: 'wall' | 'data' | undefined }) {
  const { t } = useTranslation();
  return clock === 'data' ? <span className={classes.own}>{t('ago.ownTimes')}</span> : null;
}

export const overdue = (latest: string, now: number): boolean => now - Date.parse(latest) >= HOUR_MS;

/** How long until a due time, on the clock the due time is on. */
export function dueText(
  latest: string,
  nowMs: number,
  formats: Formats,
  t: TFunction,
): string {
  const seconds = (Date.parse(latest) - nowMs) / 1000;
  if (Math.abs(seconds) * 1000 < HOUR_MS) return t('due.now');
  return seconds > 0
    ? t('due.in', { span: formats.span(seconds) })
    : t('due.over', { span: formats.span(-seconds) });
}

/** The same, in the colour of an alarm once it is over. */
export function Due({ latest, now }: { latest: string; now: number }) {
  const { t } = useTranslation();
  const formats = useFormats();
  return <span className={overdue(latest, now) ? classes.urgent : undefined}>{dueText(latest, now, formats, t)}</span>;
}

/** The last day on which a part can be ordered, all of it; how many days ago that was, where it is over. */
export function OrderBy({ at, now }: { at: string; now: number }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const said = `${t('due.order')} ${formats.date(at)}`;
  const late = formats.after(at, now);
  if (late <= 0) return <span className="strong">{said}</span>;
  const over = t('due.over', { span: t('span.day', { count: late }) });
  return <span className={`strong ${classes.urgent}`}>{said} · {over}</span>;
}
