/** Remaining life as people read it: always a band, with its unit. Pure. */
import type { TFunction } from 'i18next';
import { DAY, YEAR, type Formats } from './format';

const FAR_D = 365;
const FINEST = 2; // decimals of a day; a quarter of an hour

export interface Band {
  p10_s: number | null;
  p50_s: number | null;
  p90_s: number | null;
}

/** A band as of `said`, counted from `now` (ms on the same clock). */
export function counted(band: Band | null | undefined, said: string | null | undefined, now: number): Band | null {
  if (!band || !said) return null;
  const gone = Math.max(0, now - Date.parse(said)) / 1000;
  const less = (seconds: number | null) => (seconds === null ? null : seconds - gone);
  return { p10_s: less(band.p10_s), p50_s: less(band.p50_s), p90_s: less(band.p90_s) };
}

const dayFigure = (days: number, more = 0): string =>
  Number(days.toFixed(more + (days >= 10 || days === 0 ? 0 : 1))).toString();

/** How days are written so that the two ends of a band differ, as far as a day may be divided. */
function apart(low: number, high: number): (days: number) => string {
  for (let more = 0; more < FINEST; more += 1) {
    const written = (days: number) => dayFigure(days, more);
    if (written(low) !== written(high)) return written;
  }
  return (days) => dayFigure(days, FINEST);
}

const inDays = (seconds: number) => Math.max(0, seconds / DAY);

/** A band such as 9–14 d. */
export function leftText(left: Band | null, t: TFunction): string | null {
  if (!left || left.p50_s === null || left.p10_s === null) return null;
  const [low, middle] = [inDays(left.p10_s), inDays(left.p50_s)];
  const high = left.p90_s === null ? Infinity : inDays(left.p90_s);
  if (high <= 0) return t('left.over');
  if (low > FAR_D) return t('left.far', { days: FAR_D });
  const written = apart(low, high);
  if (middle > 9 * FAR_D) return t('left.far', { days: written(low) });
  if (high > 9 * FAR_D) return t('left.days', { low: written(low), high: '∞' });
  return written(low) === written(high)
    ? t('left.about', { days: written(high) })
    : t('left.days', { low: written(low), high: written(high) });
}

/** The same in words, with the middle and how sure it is. */
export function bandWords(left: Band, formats: Formats, t: TFunction): string {
  if (left.p10_s === null || left.p50_s === null || left.p90_s === null) return t('left.unknown');
  if (left.p90_s <= 0) return t('left.over');
  const written = apart(inDays(left.p10_s), inDays(left.p90_s));
  const said = (seconds: number) =>
    seconds >= 2 * DAY && seconds < 2 * YEAR
      ? t('span.day', { count: Number(written(seconds / DAY)) }) // as exact as the band itself
      : formats.span(Math.max(0, seconds));
  return t('left.explain', { low: said(left.p10_s), high: said(left.p90_s), middle: said(left.p50_s) });
}
