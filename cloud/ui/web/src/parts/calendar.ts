/** Days of the calendar in a zone. Pure. */
const DAY_MS = 86_400_000;

/** Makes what counts the midnights of `zone` (none: this computer's) that lie between two moments. */
export function midnights(zone: string | undefined): (from: number, to: number) => number {
  const format = new Intl.DateTimeFormat('en', { timeZone: zone, year: 'numeric', month: 'numeric', day: 'numeric' });
  const day = (at: number) => {
    const parts = new Map(format.formatToParts(at).map((one) => [one.type, Number(one.value)]));
    return Date.UTC(parts.get('year') ?? 0, (parts.get('month') ?? 1) - 1, parts.get('day')) / DAY_MS;
  };
  return (from, to) => day(to) - day(from);
}
