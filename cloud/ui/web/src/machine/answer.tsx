/** What a device answered, in the reader's words and units; names that nobody knows stay the device's own. */
import { createContext, useContext, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { SignalView } from '../api/client';
import { Plot } from '../charts/plot';
import { figure } from '../parts/figure';
import { useFormats, type Formats } from '../parts/format';
import { Table } from '../settings/table';
import classes from './diagnostics.module.css';

const DEEPEST = 3;
const MOMENT = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/;
/** By what the name of a number ends in; any other counts what its name says. */
const UNITS: Record<string, string> = { ms: 'ms', bytes: 'By', mbit: 'Mbit/s' };

type Row = Record<string, unknown>;
type Known = (column: string) => SignalView | undefined;

/** Which of the machine's signals a column of its device is. */
const Signals = createContext<Known>(() => undefined);

const isRow = (value: unknown): value is Row =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isRows = (value: unknown): value is Row[] => Array.isArray(value) && value.length > 0 && value.every(isRow);

interface Captured {
  at_ns: number[];
  values: (number | null)[];
}

const isCapture = (value: unknown): value is Captured & Row =>
  isRow(value) && Array.isArray(value.at_ns) && Array.isArray(value.values);

interface Reading {
  at: string;
  value: unknown;
}

const isReading = (value: unknown): value is Reading & Row =>
  isRow(value) && Object.keys(value).length === 2 && typeof value.at === 'string' && 'value' in value;

interface Line {
  at: string;
  level: string;
  name: string;
  text: string;
}

const isLines = (value: unknown): value is (Line & Row)[] =>
  isRows(value) && value.every((one) => 'text' in one && 'level' in one);

const exactly = (at: string, formats: Formats) => `${formats.date(at)} ${formats.time(at)}`;

/** Names of things in an answer; what has readings is called as everywhere on the page. */
function useNames(): (name: string, value?: unknown) => string {
  const { t } = useTranslation();
  const formats = useFormats();
  const known = useContext(Signals);
  return (name, value) => {
    if (isReading(value) || isCapture(value)) return formats.text(known(name)?.title, name);
    const [, what = name, number = ''] = /^(\D+?)( \d+)?$/.exec(name) ?? [];
    return `${t(`answer.${what}`, { defaultValue: what })}${number}`;
  };
}

/** A list of things of one kind, as a table. */
function Rows({ name, rows }: { name: string; rows: Row[] }) {
  const named = useNames();
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return (
    <Table
      label={named(name)}
      columns={columns.map(named)}
      rows={rows.map((row, key) => ({
        key, cells: columns.map((column) => <Value name={column} value={row[column] ?? null} depth={DEEPEST} />),
      }))}
    />
  );
}

function Capture({ name, value }: { name: string; value: Captured }) {
  const formats = useFormats();
  const named = useNames();
  const unit = useContext(Signals)(name)?.unit;
  const x = useMemo(() => value.at_ns.map((at) => at / 1e9), [value]);
  const { by } = formats.convert(unit);
  const lines = useMemo(
    () => [{ y: value.values.map((one) => (one === null ? null : by(one))), label: name }], [value, name, unit, formats],
  );
  const from = (x[0] ?? 0) * 1000;
  const to = Math.max(from + 1, (x.at(-1) ?? 0) * 1000);
  const [zoom, setZoom] = useState<{ from: number; to: number } | null>(null);
  if (x.length < 2) return null;
  return (
    <>
      <span className="dim">{formats.convert(unit).unit}</span>
      <Plot
        x={x} lines={lines} range={zoom ?? { from, to }} label={named(name, value)} height={130}
        value={(one, step) => figure(one, formats.language, step)} onZoom={setZoom} onReset={() => setZoom(null)}
      />
    </>
  );
}

/** One figure or word; `unit`: of a reading, that of any other number follows from its name. */
function Plain({ name, value, unit }: { name: string; value: unknown; unit?: string | null | undefined }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const named = useNames();
  if (value === null || (Array.isArray(value) && value.length === 0)) return <>{t('common.none')}</>;
  if (typeof value === 'boolean') return <>{t(value ? 'answer.yes' : 'answer.no')}</>;
  if (typeof value === 'number' && name.endsWith('_s')) return <>{formats.short(value)}</>;
  if (typeof value === 'number') return <>{formats.quantity(value, unit ?? UNITS[/[a-z]+$/.exec(name)?.[0] ?? ''])}</>;
  if (typeof value === 'string' && MOMENT.test(value)) return <>{exactly(value, formats)}</>;
  if (typeof value === 'string') return <>{name === 'check' || value === 'fine' ? named(value) : value}</>;
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return <>{formats.list(value)}</>;
  return <>{JSON.stringify(value)}</>;
}

function Value({ name, value, depth = 0 }: { name: string; value: unknown; depth?: number }) {
  const formats = useFormats();
  const named = useNames();
  const known = useContext(Signals);
  if (isCapture(value)) return <Capture name={name} value={value} />;
  if (isReading(value)) {
    return (
      <>
        <Plain name="" value={value.value} unit={known(name)?.unit} />
        <span className="dim"> · {exactly(value.at, formats)}</span>
      </>
    );
  }
  if (isLines(value)) {
    return (
      <pre className={classes.log} tabIndex={0}>
        {value.map((one) => `${exactly(one.at, formats)} ${one.level} ${one.name}: ${one.text}`).join('\n')}
      </pre>
    );
  }
  if (isRows(value) && depth < DEEPEST) return <Rows name={name} rows={value} />;
  if (isRow(value) && Object.keys(value).length > 0 && depth < DEEPEST) {
    return (
      <dl className="facts small">
        {Object.entries(value).map(([key, item]) => (
          <div key={key} className={classes.pair}>
            <dt>{named(key, item)}</dt>
            <dd><Value name={key} value={item} depth={depth + 1} /></dd>
          </div>
        ))}
      </dl>
    );
  }
  return <Plain name={name} value={isRow(value) && Object.keys(value).length === 0 ? null : value} />;
}

/** An answer to a question about a machine; a device of several machines names each column `machine/signal`. */
export function Answer({ machine, signals, name, value }: {
  machine: string;
  signals: SignalView[];
  name: string;
  value: unknown;
}) {
  const known = useMemo<Known>(() => {
    const named = new Map(signals.map((one) => [one.signal, one]));
    const own = `${machine.split(':')[1] ?? ''}/`;
    return (column) => named.get(column.startsWith(own) ? column.slice(own.length) : column);
  }, [machine, signals]);
  return <Signals value={known}><Value name={name} value={value} /></Signals>;
}
