/** One uPlot chart in React: made once, then fed; the page owns the range of time. */
import 'uplot/dist/uPlot.min.css';
import { useComputedColorScheme } from '@mantine/core';
import { useEffect, useRef, useState, type RefObject } from 'react';
import uPlot from 'uplot';
import { useFormats, type Formats } from '../parts/format';
import { usePaper } from '../parts/paper';
import { drawOverlay, EMPTY, variable, type Overlay } from './overlay';
import classes from './plot.module.css';
import { scaled } from './points';
import type { Range } from './range';
import { besideZone, timeLabels } from './ticks';

export interface Line {
  y: (number | null)[];
  label: string;
  colour?: string; // a CSS variable
  band?: 'low' | 'high'; // an edge of a filled band
  stepped?: boolean; // a value holds until the next one is said
}

/** What is under the cursor. */
export interface Seen {
  at: number; // ms
  values: (number | null)[]; // of each line
}

interface Props {
  x: number[];
  lines: Line[];
  range: Range; // ms
  label: string;
  height?: number;
  fixed?: [number, number]; // scale of y
  cap?: number; // values above it leave the scale
  overlay?: Overlay;
  value: (value: number, step?: number) => string; // from tick to tick, on an axis
  onZoom: (range: Range) => void;
  onReset: () => void;
  readout?: (seen: Seen | null) => void;
}

export const AXIS = 62;
export const RIGHT = 28;
const SYNC = 'machine';

export function Plot(props: Props) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const now = useRef(props);
  now.current = props;
  const scheme = useComputedColorScheme('light');
  const paper = usePaper();
  const { lines, height = 150 } = props;
  const formats = useFormats();
  const shape = lines.map((one) => `${one.label}/${one.band ?? ''}`).join();
  const near = useNear(box);

  useEffect(() => {
    const element = box.current;
    if (!element || !(near || paper)) return undefined;
    const made = new uPlot(options(now, formats, element.clientWidth, height), data(now.current), element);
    plot.current = made;
    show(made, now.current);
    const resize = new ResizeObserver(() => {
      made.setSize({ width: element.clientWidth, height });
    });
    resize.observe(element);
    return () => {
      resize.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [near || paper, shape, scheme, formats, height, paper]);

  const { x, range, overlay } = props;
  useEffect(() => {
    if (plot.current) show(plot.current, now.current);
  }, [x, lines, range.from, range.to, overlay]);

  return (
    <div className={classes.plot}>
      <div ref={box} role="img" aria-label={props.label} style={{ minHeight: height }} />
      <span className={classes.zone} aria-hidden>{formats.zoneAt(range.to)}</span>
    </div>
  );
}

const AHEAD = '300px';

/** Says when something has come near what is in sight: what is far below is not drawn for nothing. */
function useNear(box: RefObject<HTMLDivElement | null>): boolean {
  const [near, setNear] = useState(false);
  useEffect(() => {
    const element = box.current;
    if (!element || near) return undefined;
    const watch = new IntersectionObserver(
      (seen) => setNear(seen.some((one) => one.isIntersecting)), { rootMargin: AHEAD },
    );
    watch.observe(element);
    return () => watch.disconnect();
  }, [box, near]);
  return near;
}

/** Feed a chart, and show the range of its page: a chart that comes into sight late as well. */
function show(plot: uPlot, props: Props): void {
  plot.setData(data(props), false);
  plot.setScale('x', { min: props.range.from / 1000, max: props.range.to / 1000 });
}

const data = ({ x, lines }: Props): uPlot.AlignedData =>
  [x, ...lines.map((one) => one.y)] as uPlot.AlignedData;

function options(
  now: { current: Props }, { language, zone, zoneAt }: Formats, width: number, height: number,
): uPlot.Options {
  const grid = { stroke: variable('--chart-grid'), width: 1 };
  const axis = { stroke: variable('--chart-axis'), grid, ticks: { ...grid, size: 4 } };
  const bands: uPlot.Band[] = [];
  const { lines } = now.current;
  const low = lines.findIndex((one) => one.band === 'low');
  const high = lines.findIndex((one) => one.band === 'high');
  if (low >= 0 && high >= 0) bands.push({ series: [high + 1, low + 1], fill: variable('--chart-fan') });
  return {
    width,
    height,
    padding: [6, RIGHT, 0, 0],
    legend: { show: false },
    cursor: {
      sync: { key: SYNC, setSeries: false },
      drag: { x: true, y: false, setScale: false },
      points: { show: lines.length === 1 },
      bind: {
        dblclick: () => () => {
          now.current.onReset();
          return null;
        },
      },
    },
    scales: {
      x: { time: true, auto: false },
      y: {
        range: (_u, low, high) => {
          const { fixed, overlay, cap = Infinity } = now.current;
          const seen: [number, number] | null =
            low === null || high === null ? null : [Math.min(low, cap), Math.min(high, cap)];
          const goal = overlay?.fan?.limit; // the way to the limit is shown to its end
          const whole: [number, number] | null =
            seen && goal !== undefined ? [Math.min(seen[0], goal), Math.max(seen[1], goal)] : seen;
          return fixed ?? scaled(whole, overlay?.limits.map((one) => one.value) ?? []);
        },
      },
    },
    axes: [
      { ...axis, size: 26, space: 70, values: besideZone(timeLabels(language, zone), AXIS, () => zoneAt(now.current.range.to)) },
      {
        ...axis, size: AXIS, space: 26,
        values: (_u, splits, _axis, _space, step) => splits.map((one) => now.current.value(one, step)),
      },
    ],
    series: [
      {},
      ...lines.map((one) => ({
        label: one.label,
        stroke: one.band ? undefined : variable(one.colour ?? '--chart-line'),
        width: one.band ? 0 : 1.25,
        points: { show: false },
        spanGaps: false,
        ...(one.stepped && uPlot.paths.stepped ? { paths: uPlot.paths.stepped({ align: 1 }) } : {}),
      })),
    ],
    bands,
    hooks: {
      draw: [(u) => drawOverlay(u, now.current.overlay ?? EMPTY)],
      setSelect: [
        (u) => {
          if (u.select.width < 4) return;
          const from = u.posToVal(u.select.left, 'x') * 1000;
          const to = u.posToVal(u.select.left + u.select.width, 'x') * 1000;
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          now.current.onZoom({ from, to });
        },
      ],
      setCursor: [(u) => now.current.readout?.(underCursor(u))],
    },
  };
}

function underCursor(u: uPlot): Seen | null {
  const n = u.cursor.idx;
  const at = n == null ? undefined : u.data[0][n];
  if (n == null || at === undefined || (u.cursor.left ?? -1) < 0) return null;
  return { at: at * 1000, values: u.data.slice(1).map((column) => column[n] ?? null) };
}
