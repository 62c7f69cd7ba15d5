/** Ask a machine's device something; what it answers stands below, a capture is drawn. */
import { NativeSelect, NumberInput, Text } from '@mantine/core';
import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { OPS, useAsk, useCommands, type Command, type Op } from '../api/commands';
import type { Signals } from '../api/client';
import { useRole } from '../api/session';
import { Plot } from '../charts/plot';
import { BusyButton } from '../parts/busy';
import { figure } from '../parts/figure';
import { useFormats } from '../parts/format';
import { Icon, type IconName } from '../parts/icons';
import marks from '../parts/marks.module.css';
import { useNotice } from '../parts/notice';
import { useActor } from '../parts/prefs';
import { Table } from '../settings/table';
import classes from './diagnostics.module.css';

const LOOKS: Record<Command['state'], [string, IconName]> = {
  queued: ['unknown', 'clock'], accepted: ['learning', 'wrench'], done: ['normal', 'normal'],
  failed: ['alarm', 'alarm'], refused: ['alarm', 'alarm'], expired: ['silent', 'silent'],
};
const DEEPEST = 3;

interface Captured {
  at_ns: number[];
  values: (number | null)[];
}

const isCapture = (value: unknown): value is Captured =>
  typeof value === 'object' && value !== null && 'at_ns' in value && 'values' in value
  && Array.isArray(value.at_ns) && Array.isArray(value.values);

interface Line {
  at: string;
  level: string;
  name: string;
  text: string;
}

type Row = Record<string, unknown>;

const isRows = (value: unknown): value is Row[] =>
  Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === 'object' && one !== null);

const isLines = (value: unknown): value is Line[] =>
  isRows(value) && value.every((one) => 'text' in one && 'level' in one);

/** A list of things of one kind, as a table with the device's own names. */
function Rows({ name, rows }: { name: string; rows: Row[] }) {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return (
    <Table
      label={name}
      columns={columns}
      rows={rows.map((row, key) => ({
        key, cells: columns.map((column) => <Value name={column} value={row[column] ?? null} depth={DEEPEST} />),
      }))}
    />
  );
}

function Capture({ name, value }: { name: string; value: Captured }) {
  const formats = useFormats();
  const x = useMemo(() => value.at_ns.map((at) => at / 1e9), [value]);
  const lines = useMemo(() => [{ y: value.values, label: name }], [value, name]);
  const from = (x[0] ?? 0) * 1000;
  const to = Math.max(from + 1, (x.at(-1) ?? 0) * 1000);
  const [zoom, setZoom] = useState<{ from: number; to: number } | null>(null);
  if (x.length < 2) return null;
  return (
    <Plot
      x={x} lines={lines} range={zoom ?? { from, to }} label={name} height={130}
      value={(one, step) => figure(one, formats.language, step)} onZoom={setZoom} onReset={() => setZoom(null)}
    />
  );
}

function Value({ name, value, depth = 0 }: { name: string; value: unknown; depth?: number }) {
  if (isCapture(value)) return <Capture name={name} value={value} />;
  if (isLines(value)) {
    return (
      <pre className={classes.log} tabIndex={0}>
        {value.map((one) => `${one.at} ${one.level} ${one.name}: ${one.text}`).join('\n')}
      </pre>
    );
  }
  if (isRows(value) && depth < DEEPEST) return <Rows name={name} rows={value} />;
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && depth < DEEPEST) {
    return (
      <dl className="facts small">
        {Object.entries(value).map(([key, item]) => (
          <div key={key} className={classes.pair}>
            <dt>{key}</dt>
            <dd><Value name={key} value={item} depth={depth + 1} /></dd>
          </div>
        ))}
      </dl>
    );
  }
  return <>{typeof value === 'string' ? value : JSON.stringify(value)}</>;
}

function Asked({ command }: { command: Command }) {
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
        {found && <Value name={command.op} value={command.result} />}
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
            aria-label={t('diagnostics.question')} value={op} onChange={(event) => setOp(event.currentTarget.value as Op)}
            data={OPS.map((value) => ({ value, label: t(`diagnostics.op_${value}`) }))}
          />
          {op === 'capture' && (
            <>
              <NativeSelect
                aria-label={t('settings.signal')} value={signal} onChange={(event) => setSignal(event.currentTarget.value)}
                data={stored.map((one) => ({ value: one.signal, label: formats.text(one.title, one.signal) }))}
              />
              <NumberInput
                label={t('diagnostics.seconds')} min={1} max={60} value={seconds} hideControls w={90}
                onChange={(value) => setSeconds(Number(value) || 1)}
              />
              <NumberInput
                label={t('diagnostics.rate')} min={1} max={200} value={rate} hideControls w={90}
                onChange={(value) => setRate(Number(value) || 1)}
              />
            </>
          )}
          <BusyButton type="submit" variant="default" busy={ask.isPending}>{t('diagnostics.ask')}</BusyButton>
        </form>
      )}
      {data && data.items.length === 0 && <Text size="sm" c="dimmed">{t('diagnostics.none')}</Text>}
      <ul className={classes.list}>{data?.items.map((one) => <Asked key={one.id} command={one} />)}</ul>
    </section>
  );
}
