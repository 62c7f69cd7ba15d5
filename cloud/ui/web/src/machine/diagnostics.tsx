/** Ask a machine's device something; what it answers stands below, a capture is drawn. */
import { NativeSelect, NumberInput, Text } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { OPS, useAsk, useCommands, type Command, type Op } from '../api/commands';
import type { Signals, SignalView } from '../api/client';
import { useRole } from '../api/session';
import { BusyButton } from '../parts/busy';
import { useFormats } from '../parts/format';
import { Icon, type IconName } from '../parts/icons';
import marks from '../parts/marks.module.css';
import { useNotice } from '../parts/notice';
import { useActor } from '../parts/prefs';
import { Answer } from './answer';
import classes from './diagnostics.module.css';

const LOOKS: Record<Command['state'], [string, IconName]> = {
  queued: ['unknown', 'clock'], accepted: ['learning', 'wrench'], done: ['normal', 'normal'],
  failed: ['alarm', 'alarm'], refused: ['alarm', 'alarm'], expired: ['silent', 'silent'],
};
const NONE: never[] = [];

function Asked({ command, machine, signals }: { command: Command; machine: string; signals: SignalView[] }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const [look, icon] = LOOKS[command.state];
  const found = Object.keys(command.result).length > 0;
  return (
    <li>
      <details open={command.state === 'done'}>
        <summary>
          <span className="strong">{t(`diagnostics.op_${command.op}`)}</span>{' '}
          <span className={`state ${marks[look]}`}><Icon name={icon} size={14} />{t(`diagnostics.${command.state}`)}</span>
          <span className="dim small"> {command.actor} · {formats.moment(command.recorded)}</span>
        </summary>
        <Text size="sm" c="dimmed">{t(`diagnostics.${command.state}Hint`)}</Text>
        {command.text && <Text size="sm" className="break">{command.text}</Text>}
        {found && <Answer machine={machine} signals={signals} name={command.op} value={command.result} />}
      </details>
    </li>
  );
}

export default function Diagnostics({ machine, signals }: { machine: string; signals: Signals | undefined }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const role = useRole();
  const actor = useActor();
  const { fail } = useNotice();
  const { data } = useCommands(machine);
  const ask = useAsk(machine);
  const [op, setOp] = useState<Op>('snapshot');
  const [seconds, setSeconds] = useState(5);
  const [rate, setRate] = useState(50);
  const [signal, setSignal] = useState('');
  const stored = (signals?.items ?? []).filter((one) => one.stored);
  const may = role === 'administrator' || role === 'engineer';
  const args = (): Record<string, unknown> =>
    op === 'capture'
      ? { seconds, rate_hz: rate, signals: [signal || stored[0]?.signal].filter(Boolean) }
      : op === 'log' ? { lines: 100 } : {};
  return (
    <section className={classes.body} aria-label={t('diagnostics.title')}>
      {may && (
        <form
          className={classes.form}
          onSubmit={(event) => {
            event.preventDefault();
            ask.mutate({ op, args: args(), actor }, { onError: fail });
          }}
        >
          <NativeSelect
            label={t('diagnostics.question')} value={op} onChange={(event) => setOp(event.currentTarget.value as Op)}
            data={OPS.map((value) => ({ value, label: t(`diagnostics.op_${value}`) }))}
          />
          {op === 'capture' && (
            <>
              <NativeSelect
                label={t('settings.signal')} value={signal} onChange={(event) => setSignal(event.currentTarget.value)}
                data={stored.map((one) => ({ value: one.signal, label: formats.text(one.title, one.signal) }))}
              />
              <NumberInput
                label={t('diagnostics.seconds')} min={1} max={60} value={seconds} hideControls w={120}
                onChange={(value) => setSeconds(Number(value) || 1)}
              />
              <NumberInput
                label={t('diagnostics.rate')} min={1} max={200} value={rate} hideControls w={120}
                onChange={(value) => setRate(Number(value) || 1)}
              />
            </>
          )}
          <BusyButton type="submit" variant="default" busy={ask.isPending}>{t('diagnostics.ask')}</BusyButton>
        </form>
      )}
      {data && data.items.length === 0 && <Text size="sm" c="dimmed">{t('diagnostics.none')}</Text>}
      <ul className={classes.list}>{data?.items.map((one) => <Asked key={one.id} command={one} machine={machine} signals={signals?.items ?? NONE} />)}</ul>
    </section>
  );
}
