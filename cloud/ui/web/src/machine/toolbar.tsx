/** Which time and which signals are shown. */
import { ActionIcon, Button, Checkbox, Menu, Popover, SegmentedControl, Switch } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import type { SignalView } from '../api/client';
import { PRESETS, type Preset, type Range } from '../charts/range';
import { useFormats } from '../parts/format';
import { Icon } from '../parts/icons';
import classes from './machine.module.css';

export const MOST_CHARTS = 8;

export function Toolbar({ preset, follow, onPreset, onFollow, onMove, onZoom }: {
  preset: Preset | null;
  follow: boolean;
  onPreset: (preset: Preset) => void;
  onFollow: () => void;
  onMove: (share: number) => void;
  onZoom: (factor: number) => void;
}) {
  const { t } = useTranslation();
  const labels: Record<Preset, string> = {
    '1h': t('span.h', { n: 1 }), '6h': t('span.h', { n: 6 }), '24h': t('span.h', { n: 24 }),
    '7d': t('span.d', { n: 7 }), '30d': t('span.d', { n: 30 }), all: t('machine.all'),
  };
  return (
    <div className={classes.toolbar}>
      <SegmentedControl
        size="xs"
        aria-label={t('machine.range')}
        value={preset ?? ''}
        onChange={(value) => onPreset(value as Preset)}
        data={(Object.keys(PRESETS) as Preset[]).map((value) => ({ value, label: labels[value] }))}
      />
      <div className={classes.steps}>
        <ActionIcon variant="default" aria-label={t('machine.earlier')} onClick={() => onMove(-0.5)}>‹</ActionIcon>
        <ActionIcon variant="default" aria-label={t('machine.later')} onClick={() => onMove(0.5)}>›</ActionIcon>
        <ActionIcon variant="default" aria-label={t('machine.zoomIn')} onClick={() => onZoom(0.5)}>+</ActionIcon>
        <ActionIcon variant="default" aria-label={t('machine.zoomOut')} onClick={() => onZoom(2)}>−</ActionIcon>
      </div>
      <Button size="xs" variant={follow ? 'light' : 'default'} onClick={onFollow} aria-pressed={follow}>
        {follow ? t('machine.following') : t('machine.follow')}
      </Button>
    </div>
  );
}

export function ForecastSwitch({ forecast, onForecast }: {
  forecast: boolean;
  onForecast: (on: boolean) => void;
}) {
  const { t } = useTranslation();
  return (
    <Switch
      size="sm" label={t('machine.forecast')} checked={forecast} title={t('machine.forecastOf')}
      onChange={(event) => onForecast(event.currentTarget.checked)}
    />
  );
}

/** The shown signals in the shown time, as a file. */
export function Export({ machine, signals, range }: { machine: string; signals: string[]; range: Range }) {
  const { t } = useTranslation();
  const address = (format: 'csv' | 'parquet') => {
    const query = new URLSearchParams(signals.map((one) => ['signal', one]));
    query.set('start', new Date(range.from).toISOString());
    query.set('end', new Date(range.to).toISOString());
    query.set('format', format);
    return `/api/v1/machines/${encodeURIComponent(machine)}/export?${query}`;
  };
  return (
    <Menu position="bottom-start" withinPortal>
      <Menu.Target>
        <Button size="xs" variant="default" leftSection={<Icon name="download" size={14} />} disabled={!signals.length}>
          {t('machine.export')}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item component="a" href={address('csv')} download>CSV</Menu.Item>
        <Menu.Item component="a" href={address('parquet')} download>Parquet</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

export function SignalChoice({ signals, chosen, choose }: {
  signals: SignalView[];
  chosen: string[];
  choose: (signals: string[]) => void;
}) {
  const { t } = useTranslation();
  const formats = useFormats();
  return (
    <Popover position="bottom-start" withinPortal trapFocus>
      <Popover.Target>
        <Button size="xs" variant="default">
          {t('machine.chosen', { count: chosen.length })} ▾
        </Button>
      </Popover.Target>
      <Popover.Dropdown aria-label={t('machine.choose')} className={classes.choice ?? ''}>
        {signals.map((one) => {
          const on = chosen.includes(one.signal);
          return (
            <Checkbox
              key={one.signal}
              label={`${formats.text(one.title, one.signal)}${one.stored ? '' : ` (${t('ago.never')})`}`}
              checked={on}
              disabled={!on && chosen.length >= MOST_CHARTS}
              onChange={() =>
                choose(on ? chosen.filter((name) => name !== one.signal) : [...chosen, one.signal])
              }
              my={6}
            />
          );
        })}
      </Popover.Dropdown>
    </Popover>
  );
}
