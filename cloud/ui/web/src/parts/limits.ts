/** What a check found, in words that fit the value of now. */
import type { TFunction } from 'i18next';
import type { Evidence, Limits } from '../api/client';

interface Finding {
  check: NonNullable<Evidence['check']>;
  value: number | null;
}

/** Whether a check of limits, which some readings out of several uphold, is not true of this value: at its limit it is. */
export function passed({ check, value }: Finding, limits: Limits | undefined): boolean {
  if (value === null || !limits) return false;
  const high = check === 'limit-high';
  const sides = high ? [limits.alert_high, limits.alarm_high] : check === 'limit-low' ? [limits.alert_low, limits.alarm_low] : [];
  const known = sides.filter((one) => one !== null);
  return known.length > 0 && known.every((limit) => (high ? value < limit : value > limit));
}

/** At a limit the limit says what is too much, and what wears away has no normal value. */
export const atLimit = (check: Finding['check'] | null): boolean => check === 'limit-high' || check === 'limit-low';

export const checkWords = (check: Finding['check'], over: boolean, t: TFunction): string =>
  t(`check.${over ? 'passed-' : ''}${check}`);
