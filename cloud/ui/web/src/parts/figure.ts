/** Numbers for people, in their language. */

/** How many decimals tell values apart that lie `step` from one another: 1 for 0.5, 2 for 0.25. */
function decimals(step: number): number {
  const [mantissa = '', power] = Number(step.toPrecision(3)).toExponential().split('e');
  return Math.min(15, Math.max(0, (mantissa.split('.')[1]?.length ?? 0) - Number(power)));
}

/**
 * Three figures, or as many as tell values apart that lie `step` from one another on an axis, without a
 * power of ten for what people read every day.
 */
export function figure(value: number, language: string, step = 0): string {
  const size = Math.abs(value);
  const apart = decimals(step);
  const minute = size > 0 && size < 0.001 && apart > 6;
  if (size >= 100_000 || minute) {
    const most = Math.min(21, Math.max(1, Math.floor(Math.log10(size)) + 1 + apart));
    return numbers(language, {
      notation: minute ? 'scientific' : 'compact',
      ...(step ? { maximumSignificantDigits: most } : { maximumFractionDigits: 1 }),
    }).format(value);
  }
  const digits = size >= 100 || size === 0 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  return numbers(language, { maximumFractionDigits: Math.max(digits, apart) }).format(value);
}

/** What Intl makes is dear: each of them is made once. */
const NUMBERS = new Map<string, Intl.NumberFormat>();

function numbers(language: string, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = `${language}/${JSON.stringify(options)}`;
  const made = NUMBERS.get(key) ?? new Intl.NumberFormat(language, options);
  NUMBERS.set(key, made);
  return made;
}
