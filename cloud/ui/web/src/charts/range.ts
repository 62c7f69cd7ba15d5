/** Which time is shown: a fixed piece, or the newest so-and-so long. Pure. */

export interface Range {
  from: number; // ms
  to: number; // ms
}

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

export const PRESETS = {
  '1h': HOUR_MS, '6h': 6 * HOUR_MS, '24h': DAY_MS, '7d': 7 * DAY_MS, '30d': 30 * DAY_MS, all: Infinity,
} as const;
export type Preset = keyof typeof PRESETS;

/** The shortest preset that shows everything; at most 30 days. */
export function presetFor(first: number, newest: number): Preset {
  const age = newest - first;
  const found = (Object.keys(PRESETS) as Preset[]).find((one) => PRESETS[one] >= age);
  return !found || found === 'all' ? '30d' : found;
}

const STEPS = 300;

/** The newest piece, in steps so that a new reading does not ask for everything again. */
export function newest(preset: Preset, first: number, end: number, forecast: number): Range {
  const length = Math.max(60_000, Math.min(PRESETS[preset], end - first + 1));
  const step = Math.max(2_000, length / STEPS);
  const to = Math.ceil(end / step) * step;
  return { from: to - length, to: to + Math.min(forecast, length) };
}

export function zoomed(range: Range, factor: number): Range {
  const middle = (range.from + range.to) / 2;
  const half = Math.max(500, ((range.to - range.from) / 2) * factor);
  return { from: middle - half, to: middle + half };
}

export function moved(range: Range, share: number): Range {
  const by = (range.to - range.from) * share;
  return { from: range.from + by, to: range.to + by };
}
