/** Numbers, units, spans and times as people write them. Pure. */
import type { TFunction } from 'i18next';
import { useTranslation } from 'react-i18next';
import { textLanguage } from '../i18n';
import type { Words } from '../api/client';
import { midnights } from './calendar';
import { figure } from './figure';
import { usePrefs, type Prefs } from './prefs';

export const MINUTE = 60;
export const HOUR = 3_600;
export const DAY = 86_400;
export const YEAR = 365.25 * DAY;

const SHOWN: Record<string, string> = {
  Cel: '°C', '1': '', 'm3/h': 'm³/h', 'ug/m3': 'µg/m³', '/min': '1/min', mOhm: 'mΩ', Ohm: 'Ω',
  By: 'B', 'By/s': 'B/s', '[degF]': '°F', '[psi]': 'psi', um: 'µm', 'm/s2': 'm/s²', kOhm: 'kΩ', MOhm: 'MΩ',
};

type Converter = { unit: string; by: (value: number) => number };
const IMPERIAL: Record<string, Converter> = {
  Cel: { unit: '°F', by: (v) => v * 1.8 + 32 },
  K: { unit: '°F', by: (v) => v * 1.8 }, // a difference of temperatures
  'mm/s': { unit: 'in/s', by: (v) => v / 25.4 },
  bar: { unit: 'psi', by: (v) => v * 14.5037738 },
  kPa: { unit: 'psi', by: (v) => v * 0.145037738 },
  'm3/h': { unit: 'gal/min', by: (v) => v * 4.40286754 },
  mm: { unit: 'in', by: (v) => v / 25.4 },
};

export function converter(code: string | null | undefined, units: Prefs['units']): Converter {
  const known = code && units === 'imperial' ? IMPERIAL[code] : undefined;
  if (known) return known;
  const unit = code ? (SHOWN[code] ?? code).replace(/^\{(.*)\}$/, '$1') : '';
  return { unit, by: (v) => v };
}

const PREFIXES = ['', 'k', 'M', 'G', 'T', 'P'];

/** Units that take a prefix, so that each figure carries its own. */
export const isPrefixed = (unit: string | null | undefined) => unit === 'By' || unit === 'By/s';

/** Three figures, or what an axis of this `step` needs, and a prefix, behind which the unit stands: `41.6 M`. */
function prefixed(value: number, language: string, step = 0): string {
  const rounded = step ? value : Number(value.toPrecision(3)); // before its prefix is chosen: 999.9 k are 1 M
  const power = Math.min(PREFIXES.length - 1, Math.floor((Math.abs(rounded).toFixed(0).length - 1) / 3));
  return `${figure(rounded / 1000 ** power, language, step / 1000 ** power)}\u00a0${PREFIXES[power]}`;
}

export interface Formats {
  language: string;
  zone: string | undefined;
  text: (words: Words | undefined, fallback: string) => string;
  quantity: (value: number | null | undefined, unit: string | null | undefined) => string;
  converted: (value: number | null | undefined, unit: string | null | undefined) => string; // in the reader's unit already
  convert: (unit: string | null | undefined) => Converter;
  span: (seconds: number) => string;
  short: (seconds: number) => string;
  date: Moment;
  time: Moment;
  moment: Moment;
  on: (clock: Clock, said: string) => string; // says so where a time is on the machine's own clock
  days: (from: string, to: string) => string;
  after: (day: string, now: number) => number; // days since that day, which is in time to its end
  beyond: (low: number | null, high: number | null, unit: string | null) => string; // of limits: which side of them is too much
  list: (items: string[]) => string;
  who: (actor: string) => string;
  zoneAt: (at: number) => string; // as it is called on that day
  tick: (unit: string | null | undefined) => (value: number, step?: number) => string; // on an axis
}

/** Parts of the service that are written down as who did something. */
export const ITSELF = new Set(['policy', 'triage']);
const FORMATS = new Map<string, Formats>();

/** The formats of a language, a zone and units: made once, however many parts of a page ask. */
export function useFormats(): Formats {
  const { i18n } = useTranslation();
  const { prefs } = usePrefs();
  const key = `${i18n.language}/${prefs.zone}/${prefs.units}`;
  const made = FORMATS.get(key) ?? formats(i18n.language, prefs, i18n.getFixedT(i18n.language));
  FORMATS.set(key, made);
  return made;
}

type Moment = (at: string | number) => string;
type Clock = 'wall' | 'data';

const H23: Intl.DateTimeFormatOptions = { hourCycle: 'h23' };

/** Times in a language and zone; the maker of texts is itself made at the first use. */
function moments(language: string, zone: string | undefined) {
  return (options: Intl.DateTimeFormatOptions): Moment => {
    let made: Intl.DateTimeFormat | undefined;
    return (at) => {
      made ??= new Intl.DateTimeFormat(language, { timeZone: zone, ...options });
      return made.format(typeof at === 'string' ? Date.parse(at) : at);
    };
  };
}

function sized(seconds: number): [string, number] {
  const size = Math.abs(seconds);
  if (size >= 2 * YEAR) return ['year', Math.round((seconds / YEAR) * 10) / 10];
  if (size >= 2 * DAY) return ['day', Math.round(seconds / DAY)];
  if (size >= 2 * HOUR) return ['hour', Math.round(seconds / HOUR)];
  if (size >= 100) return ['minute', Math.round(seconds / MINUTE)];
  return ['second', Math.round(seconds)];
}

function formats(chosen: string, prefs: Prefs, t: TFunction): Formats {
  const language = chosen === 'qps' ? 'en' : chosen;
  const zone = prefs.zone || undefined;
  const format = moments(language, zone);
  const date = format({ year: 'numeric', month: 'short', day: 'numeric' });
  const dayOfYear = format({ month: 'short', day: 'numeric' });
  const year = format({ year: 'numeric' });
  const passed = midnights(zone);
  const zones = new Intl.DateTimeFormat(language, { timeZone: zone, timeZoneName: 'short' });
  const zoneOf = (at: number) =>
    zones.formatToParts(at).find((part) => part.type === 'timeZoneName')?.value ?? 'UTC';
  /** A time of day names its zone as it was on that day, summer time included. */
  const zoned = (said: Moment): Moment => (at) =>
    `${said(at)}\u00a0${zoneOf(typeof at === 'string' ? Date.parse(at) : at)}`;
  const convert = (code: string | null | undefined) => {
    const found = converter(code, prefs.units);
    const counted = code?.startsWith('{'); // what is counted is a word: pages, cycles
    return counted ? { ...found, unit: t(`unit.${found.unit}`, { defaultValue: found.unit }) } : found;
  };
  const converted: Formats['converted'] = (value, unit) => {
    if (value == null) return '–';
    const { unit: shown } = convert(unit);
    if (isPrefixed(unit)) return `${prefixed(value, language)}${shown}`;
    return `${figure(value, language)}${shown === '%' || shown === '' ? '' : '\u00a0'}${shown}`;
  };
  const quantity: Formats['quantity'] = (value, unit) => converted(value == null ? null : convert(unit).by(value), unit);
  return {
    language,
    zone,
    text: (words, fallback) => words?.[textLanguage(language)] ?? words?.en ?? fallback,
    convert,
    converted,
    quantity,
    span: (seconds) => {
      const [unit, count] = sized(seconds);
      return t(`span.${unit}`, { count });
    },
    short: (seconds) => {
      const [unit, n] = sized(seconds);
      return t(`span.${unit.charAt(0)}`, { n });
    },
    date,
    days: (from, to) => {
      if (date(from) === date(to)) return date(from);
      if (year(from) !== year(to)) return `${date(from)} – ${date(to)}`;
      const yearFirst = language.startsWith('zh');
      return yearFirst ? `${date(from)} – ${dayOfYear(to)}` : `${dayOfYear(from)} – ${date(to)}`;
    },
    after: (day, now) => passed(Date.parse(day), now),
    beyond: (low, high, unit) => {
      const sides = [low === null ? '' : `<\u00a0${quantity(low, unit)}`, high === null ? '' : `>\u00a0${quantity(high, unit)}`];
      return sides.filter(Boolean).join(t('common.comma'));
    },
    list: (items) => items.join(t('common.comma')),
    who: (actor) => (ITSELF.has(actor) ? t('common.itself') : actor),
    time: zoned(format({ hour: '2-digit', minute: '2-digit', second: '2-digit', ...H23 })),
    moment: zoned(format({ year: 'numeric', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', ...H23 })),
    zoneAt: zoneOf,
    tick: (unit) => (value, step) =>
      isPrefixed(unit) ? `${prefixed(value, language, step)}${convert(unit).unit}` : figure(value, language, step),
    on: (clock, said) => (clock === 'data' ? t('ago.own', { time: said }) : said),
  };
}
