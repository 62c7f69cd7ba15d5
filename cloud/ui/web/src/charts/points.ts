/** From buckets to the points of a line: every extreme is kept, and a gap stays a gap. Pure. */

export interface Buckets {
  bucket_ns: number[];
  first: (number | null)[];
  first_ns: number[];
  last: (number | null)[];
  last_ns: number[];
  min: (number | null)[];
  min_ns: number[];
  max: (number | null)[];
  max_ns: number[];
}

export interface Points {
  x: number[]; // seconds since 1970 UTC
  y: (number | null)[];
  gaps: [number, number][]; // seconds
}

/** A pause of so many usual distances between buckets is a gap. */
const GAP = 4;

function usualStep(starts: number[]): number {
  const steps: number[] = [];
  for (let n = 1; n < starts.length; n += 1) steps.push((starts[n] ?? 0) - (starts[n - 1] ?? 0));
  steps.sort((a, b) => a - b);
  return steps[Math.floor(steps.length / 2)] ?? 0;
}

/** First, extremes and last of each bucket in the order of their times (M4). */
export function points(buckets: Buckets, by: (value: number) => number = (v) => v): Points {
  const found: Points = { x: [], y: [], gaps: [] };
  const step = usualStep(buckets.bucket_ns);
  buckets.bucket_ns.forEach((start, n) => {
    const previous = buckets.bucket_ns[n - 1];
    if (previous !== undefined && start - previous > GAP * step) {
      const from = (buckets.last_ns[n - 1] ?? previous) / 1e9;
      const to = (buckets.first_ns[n] ?? start) / 1e9;
      found.gaps.push([from, to]);
      found.x.push((from + to) / 2);
      found.y.push(null);
    }
    const corners: [number, number | null][] = [
      [buckets.first_ns[n] ?? start, buckets.first[n] ?? null],
      [buckets.min_ns[n] ?? start, buckets.min[n] ?? null],
      [buckets.max_ns[n] ?? start, buckets.max[n] ?? null],
      [buckets.last_ns[n] ?? start, buckets.last[n] ?? null],
    ];
    corners.sort((a, b) => a[0] - b[0]);
    let before: [number, number | null] | null = null;
    for (const corner of corners) {
      if (before && before[0] === corner[0] && before[1] === corner[1]) continue;
      found.x.push(corner[0] / 1e9);
      found.y.push(corner[1] === null ? null : by(corner[1]));
      before = corner;
    }
  });
  return found;
}

/** The scale shows all values, and the limits that are near them. */
export function scaled(values: [number, number] | null, near: number[]): [number, number] {
  if (values === null) return [0, 1];
  let [low, high] = values;
  const span = high - low;
  for (const limit of near) {
    const away = limit > high ? limit - high : low - limit;
    if (away <= Math.max(2 * span, 0.35 * Math.abs(limit))) {
      low = Math.min(low, limit);
      high = Math.max(high, limit);
    }
  }
  const room = (high - low || Math.abs(high) || 1) * 0.08;
  return [low - room, high + room];
}
