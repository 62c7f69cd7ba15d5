/** Signals that come in another unit than the machine's type expects: nothing is judged by it. */
import { useTranslation } from 'react-i18next';
import type { SignalView } from '../api/client';
import { useSignals } from '../api/queries';
import { converter, useFormats } from '../parts/format';
import classes from './machine.module.css';

export function OtherUnits({ machine }: { machine: string }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const { data } = useSignals(machine);
  const others = data?.items.filter((one) => one.profile_unit !== null) ?? [];
  const said = ({ signal, title, unit, profile_unit }: SignalView) =>
    t('machine.otherUnit', {
      signal: formats.text(title, signal), told: named(unit), expected: named(profile_unit),
    });
  if (others.length === 0) return null;
  return (
    <ul className={classes.other}>
      {others.map((one) => <li key={one.signal} className="break">{said(one)}</li>)}
    </ul>
  );
}

/** A unit as it is sent, whichever units the reader chose. */
const named = (code: string | null) => converter(code, 'metric').unit;
