/** What speaks for an advisory: each finding with its numbers, and the signals plotted around it. */
import { Text } from '@mantine/core';
import { useElementSize } from '@mantine/hooks';
import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Advisory, Evidence, SignalView } from '../api/client';
import { useEvidence, useProfile, useSignals, useTrend } from '../api/queries';
import { DAY_MS, type Range } from '../charts/range';
import { SignalChart, type View } from '../machine/signal';
import { useFormats } from '../parts/format';
import { atLimit, checkWords, passed } from '../parts/limits';
import { SeverityMark } from '../parts/marks';
import classes from './inbox.module.css';

const CHARTS = 2;

function Row({ item, title, signal }: {
  item: Evidence;
  title: string;
  signal: SignalView | undefined;
}) {
  const { t } = useTranslation();
  const formats = useFormats();
  const unit = signal?.unit ?? null;
  const { check, ended } = item;
  const over = check !== null && ended === null && passed({ check, value: item.value }, signal?.limits);
  const value = formats.quantity(item.value, unit);
  return (
    <li>
      <div className={classes.evidenceTop}>
        <SeverityMark severity={item.severity} />
        <span className="strong break">{title}</span>
        <span className="dim small">{check ? checkWords(check, over, t) : t('inbox.life')}</span>
      </div>
      <div className="small dates">
        {item.value !== null && <span className="strong">{over ? t('inbox.valueNow', { value }) : value}</span>}
        {item.expected !== null && !atLimit(check) && (
          <span className="dim"> {t('machine.expected', { value: formats.quantity(item.expected, unit) })}</span>
        )}
        <span className="dim">
          {item.value === null ? '' : ' · '}
          {t('inbox.sincePart', { time: formats.moment(item.since) })}
          {item.count > 1 && ` · ${t('inbox.count', { count: item.count })}`}
          {item.ended && ` · ${t('inbox.ended')}`}
        </span>
      </div>
    </li>
  );
}

/** The piece of time that shows how it came about: from before the first finding until now. */
function around(items: Evidence[], advisory: Advisory): Range {
  const first = Math.min(...items.map((one) => Date.parse(one.since)), Date.parse(advisory.opened));
  const last = Math.max(Date.parse(advisory.last), ...items.map((one) => Date.parse(one.last)));
  const room = Math.max((last - first) * 0.4, DAY_MS / 2);
  return { from: first - room, to: last + room * 0.2 };
}

export function EvidenceList({ advisory, plots }: { advisory: Advisory; plots: boolean }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const { ref, width } = useElementSize();
  const { data: evidence } = useEvidence(advisory.id);
  const { data: signals } = useSignals(advisory.machine);
  const { data: trend } = useTrend(advisory.machine);
  const { data: type } = useProfile(advisory.profile);
  const [zoom, setZoom] = useState<Range | null>(null);
  const items = evidence?.items ?? [];
  const key = items.map((one) => `${one.since}${one.last}`).join();
  const view = useMemo((): View => {
    const range = zoom ?? around(items, advisory);
    return {
      range,
      end: range.to,
      buckets: Math.max(100, Math.round((width || 600) / 100) * 100),
      onZoom: setZoom,
      onReset: () => setZoom(null),
    };
  }, [key, zoom, advisory.opened, advisory.last, width]);
  const known = new Map(signals?.items.map((one) => [one.signal, one]));
  const names = [...new Set(items.flatMap((one) => one.signal ?? one.life?.signal ?? []))];
  const shown = names.flatMap((name) => known.get(name) ?? []).filter((one) => one.stored);
  const titleOf = (item: Evidence) => {
    const name = item.signal ?? item.life?.component ?? '';
    const words = item.signal
      ? known.get(name)?.title
      : type?.parts.find((one) => one.component === name)?.title;
    return formats.text(words, name);
  };
  return (
    <div ref={ref}>
      {items.length === 0 && <Text size="sm" c="dimmed">{t('common.none')}</Text>}
      <ul className={classes.evidence}>
        {items.map((one) => (
          <Row
            key={`${one.kind}/${one.signal}/${one.check}`} item={one} title={titleOf(one)}
            signal={known.get(one.signal ?? '')}
          />
        ))}
      </ul>
      {plots && items.length > 0 && shown.slice(0, CHARTS).map((one) => (
        <SignalChart
          key={one.signal} machine={advisory.machine} signal={one} trend={trend} type={type}
          forecast={false} view={view}
        />
      ))}
    </div>
  );
}
