/** What the machine's type cannot judge: a type that nobody knows, signals in another unit. */
import { useTranslation } from 'react-i18next';
import type { MachineDetail, SignalView } from '../api/client';
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

/** A device may name a type that the service has no profile for. */
export function UnknownType({ machine }: { machine: MachineDetail }) {
  const { t } = useTranslation();
  if (machine.profile_version !== null) return null;
  return <p className={classes.other}>{t('machine.unknownType', { name: machine.profile })}</p>;
}

/** A unit as it is sent, whichever units the reader chose. */
const named = (code: string | null) => converter(code, 'metric').unit;
