/** Labels of a time axis in the reader's language and zone: the date where the day changes. */
import type uPlot from 'uplot';

const DAY_S = 86_400;

type Labels = (u: uPlot, splits: number[], axis: number, space: number, step: number) => string[];

const MADE = new Map<string, Labels>();

/** What Intl makes is dear: all charts of a page share it. */
export function timeLabels(language: string, zone: string | undefined): Labels {
  const key = `${language}/${zone}`;
  const made = MADE.get(key) ?? labels(language, zone);
  MADE.set(key, made);
  return made;
}

const GAP = 6; // px between what stands at the left edge and the first label

/** The width of a text on an axis, px. */
function wide(u: uPlot, text: string): number {
  u.ctx.save();
  u.ctx.font = `12px ${getComputedStyle(u.root).fontFamily}`;
  const { width } = u.ctx.measureText(text);
  u.ctx.restore();
  return width;
}

/** Leave out a first label that would run into the name of the zone, which stands at the left edge. */
export function besideZone(labels: Labels, left: number, zone: () => string): Labels {
  return (u, splits, axis, space, step) => {
    const [first = '', ...rest] = labels(u, splits, axis, space, step);
    const begins = left + u.valToPos(splits[0] ?? 0, 'x') - wide(u, first) / 2;
    return [begins < wide(u, zone()) + GAP ? '' : first, ...rest];
  };
}

function labels(language: string, zone: string | undefined): Labels {
  const make = (options: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat(language, { timeZone: zone, ...options });
  const day = make({ month: 'short', day: 'numeric' });
  const minute = make({ hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  const second = make({ hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
  const year = make({ year: 'numeric', month: 'short' });
  return (_u, splits, _axis, _space, step) => {
    let before = '';
    return splits.map((at) => {
      const date = new Date(at * 1000);
      if (step >= 25 * DAY_S) return year.format(date);
      const today = day.format(date);
      if (step >= DAY_S) return today;
      const clock = (step < 60 ? second : minute).format(date);
      const text = today === before ? clock : before === '' ? clock : today;
      before = today;
      return text;
    });
  };
}
