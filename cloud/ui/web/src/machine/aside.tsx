/** What could not be read of a device, with what is wrong with it: for the author of its firmware. */
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useQuarantine } from '../api/queries';
import { Problem } from '../parts/failing';
import { useFormats } from '../parts/format';
import { Waiting } from '../parts/waiting';
import classes from './machine.module.css';

function Newest({ device, reason }: { device: string; reason: string | undefined }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const { data, error } = useQuarantine(device, reason);
  if (!data) return error ? <Problem error={error} /> : <Waiting />;
  return (
    <ul className={classes.aside}>
      {data.items.map((one) => (
        <li key={one.id} className="small break">
          <div className="dim">{formats.moment(one.recorded)} · {one.topic.split('/').slice(3).join('/')}</div>
          <div>{t('common.labelled', { label: t(`aside.${one.reason}`, one.reason), value: one.detail })}</div>
        </li>
      ))}
    </ul>
  );
}

/** Says how much was set aside; opened, the newest of it. */
export function Aside({ words, device, reason }: { words: string; device: string; reason?: string }) {
  const [open, setOpen] = useState(false);
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)} className={classes.aside ?? ''}>
      <summary>{words}</summary>
      {open && <Newest device={device} reason={reason} />}
    </details>
  );
}
