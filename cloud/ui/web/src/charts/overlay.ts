/** What is drawn over a line: limits, beginnings of conditions, the fan of the remaining life. */
import type uPlot from 'uplot';

export interface Fan {
  at: number; // seconds
  value: number;
  limit: number;
  p10: number; // seconds from `at`
  p50: number;
  p90: number;
}

export interface Mark {
  at: number; // seconds
  severity: number;
}

export interface Overlay {
  limits: { value: number; severity: number }[];
  marks: Mark[];
  gaps: [number, number][];
  fan: Fan | null;
  now: number | null; // seconds; what is right of it is a forecast
}

export const EMPTY: Overlay = { limits: [], marks: [], gaps: [], fan: null, now: null };

export const variable = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const ink = (severity: number): string =>
  variable(severity >= 3 ? '--state-alarm' : severity === 2 ? '--state-alert' : '--state-learning');

export function drawOverlay(u: uPlot, overlay: Overlay): void {
  const { ctx, bbox } = u;
  const scale = devicePixelRatio;
  const x = (at: number) => u.valToPos(at, 'x', true);
  const y = (value: number) => u.valToPos(value, 'y', true);
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.lineWidth = scale;
  ctx.fillStyle = variable('--chart-grid');
  for (const [from, to] of overlay.gaps) {
    ctx.globalAlpha = 0.7;
    ctx.fillRect(x(from), bbox.top, Math.max(scale, x(to) - x(from)), bbox.height);
  }
  ctx.globalAlpha = 1;
  for (const { value, severity } of overlay.limits) {
    ctx.strokeStyle = ink(severity);
    ctx.setLineDash(severity >= 3 ? [] : [6 * scale, 4 * scale]);
    line(ctx, bbox.left, y(value), bbox.left + bbox.width, y(value));
  }
  ctx.setLineDash([]);
  for (const { at, severity } of overlay.marks) mark(ctx, x(at), u, ink(severity), scale);
  if (overlay.fan) fan(ctx, overlay.fan, x, y, scale);
  if (overlay.now !== null) {
    ctx.strokeStyle = variable('--chart-axis');
    ctx.setLineDash([2 * scale, 3 * scale]);
    line(ctx, x(overlay.now), bbox.top, x(overlay.now), bbox.top + bbox.height);
  }
  ctx.restore();
}

function line(ctx: CanvasRenderingContext2D, x1: number, y1: number, x2: number, y2: number): void {
  ctx.beginPath();
  ctx.moveTo(x1, y1);
  ctx.lineTo(x2, y2);
  ctx.stroke();
}

/** A flag at the top and a line down: here a condition began. */
function mark(
  ctx: CanvasRenderingContext2D, at: number, u: uPlot, colour: string, scale: number,
): void {
  const { top, height } = u.bbox;
  ctx.strokeStyle = colour;
  ctx.fillStyle = colour;
  ctx.globalAlpha = 0.55;
  line(ctx, at, top, at, top + height);
  ctx.globalAlpha = 1;
  ctx.beginPath();
  ctx.moveTo(at - 5 * scale, top);
  ctx.lineTo(at + 5 * scale, top);
  ctx.lineTo(at, top + 8 * scale);
  ctx.closePath();
  ctx.fill();
}

function fan(
  ctx: CanvasRenderingContext2D, { at, value, limit, p10, p50, p90 }: Fan,
  x: (at: number) => number, y: (value: number) => number, scale: number,
): void {
  ctx.fillStyle = variable('--chart-fan');
  ctx.beginPath();
  ctx.moveTo(x(at), y(value));
  ctx.lineTo(x(at + p10), y(limit));
  ctx.lineTo(x(at + p90), y(limit));
  ctx.closePath();
  ctx.fill();
  ctx.strokeStyle = variable('--state-alarm');
  ctx.lineWidth = 1.5 * scale;
  ctx.setLineDash([5 * scale, 4 * scale]);
  line(ctx, x(at), y(value), x(at + p50), y(limit));
  ctx.setLineDash([]);
}
