/** A small set of line icons; they stand beside words and are hidden from screen readers. */
import type { ReactNode } from 'react';

const PATHS = {
  alarm: <><path d="M8 1.8 15 14H1z" /><path d="M8 6v4M8 12v.2" /></>,
  alert: <><circle cx="8" cy="8" r="6.5" /><path d="M8 4.5v4.2M8 11.2v.2" /></>,
  normal: <><circle cx="8" cy="8" r="6.5" /><path d="m5 8.3 2.1 2.2L11 6" /></>,
  learning: <path d="M4 1.5h8M4 14.5h8M5 1.5c0 4 6 4 6 6.5s-6 2.5-6 6.5M11 1.5c0 4-6 4-6 6.5s6 2.5 6 6.5" />,
  silent: <path d="M2 2l12 12M4.2 8.5a5 5 0 0 1 2-1.4M9.6 6.9a6 6 0 0 1 2.3 1.5M2 6a9 9 0 0 1 2.5-1.8M7 3.4A9 9 0 0 1 14 6M6.5 11a2.2 2.2 0 0 1 2.8-.1M8 13.3v.1" />,
  unknown: <><circle cx="8" cy="8" r="6.5" /><path d="M6 6.3a2 2 0 1 1 2.7 1.9c-.5.2-.7.5-.7 1.1M8 11.5v.2" /></>,
  fleet: <path d="M2 3h12v4H2zM2 9h12v4H2zM4.5 5h.1M4.5 11h.1" />,
  inbox: <path d="M2 9h3.5l1 2h3l1-2H14M2 9l2-6h8l2 6v4H2z" />,
  tickets: <path d="M2 4h12v3a1 1 0 0 0 0 2v3H2V9a1 1 0 0 0 0-2zM9.5 4v8" />,
  overview: <><circle cx="8" cy="5" r="2.7" /><path d="M2.5 14c.5-3 2.8-4.5 5.5-4.5s5 1.5 5.5 4.5" /></>,
  settings: <><circle cx="8" cy="8" r="2.2" /><path d="M8 1.5v2M8 12.5v2M1.5 8h2M12.5 8h2M3.4 3.4l1.4 1.4M11.2 11.2l1.4 1.4M12.6 3.4l-1.4 1.4M4.8 11.2l-1.4 1.4" /></>,
  search: <><circle cx="7" cy="7" r="4.7" /><path d="m10.5 10.5 4 4" /></>,
  sun: <><circle cx="8" cy="8" r="3" /><path d="M8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1" /></>,
  moon: <path d="M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7z" />,
  clock: <><circle cx="8" cy="8" r="6.5" /><path d="M8 4v4l2.5 2" /></>,
  back: <path d="M10 3 5 8l5 5" />,
  up: <path d="m4 10 4-4 4 4" />,
  down: <path d="m4 6 4 4 4-4" />,
  download: <path d="M8 2v8M4.5 7 8 10.5 11.5 7M2.5 13.5h11" />,
  wrench: <path d="M13.5 4.5 11 7 9 5l2.5-2.5a3.5 3.5 0 0 0-4.7 4.3L2.5 11a1.4 1.4 0 0 0 2.3 2.3l4.2-4.2a3.5 3.5 0 0 0 4.5-4.6z" />,
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }): ReactNode {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth={1.5}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden
    >
      {PATHS[name]}
    </svg>
  );
}
