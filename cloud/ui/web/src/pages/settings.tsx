import { Anchor, Tabs, Text, Title } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { useNavigate, useParams } from 'react-router';
import type { MachineType } from '../api/client';
import { useHealth, useProfiles, useQuarantineCounts } from '../api/queries';
import { isStaff, useSession } from '../api/session';
import { Aside } from '../machine/aside';
import { Problem } from '../parts/failing';
import { DAY, useFormats } from '../parts/format';
import { Icon } from '../parts/icons';
import marks from '../parts/marks.module.css';
import { useTitle } from '../parts/title';
import { Waiting } from '../parts/waiting';
import { Channels } from '../settings/channels';
import { Mine } from '../settings/mine';
import { Tokens } from '../settings/tokens';
import { Users } from '../settings/users';
import classes from './settings.module.css';

function Type({ type }: { type: MachineType }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const limit = (low: number | null, high: number | null, unit: string | null) =>
    formats.beyond(low, high, unit) || t('common.none');
  return (
    <details className={`card ${classes.type}`}>
      <summary>
        <span className="strong">{formats.text(type.title, type.name)}</span>
        <span className="dim small">
          {' '}{type.name} · {t('settings.version', { n: type.version })} · {t('settings.signals', { count: type.signals.length })} · {t('settings.parts', { count: type.parts.length })}
        </span>
      </summary>
      {type.signals.length > 0 && (
        <div className={classes.scroll} tabIndex={0} role="region" aria-label={t('settings.signal')}>
          <table className="grid small">
            <thead><tr><th>{t('settings.signal')}</th><th>{t('settings.unit')}</th><th>{t('severity.2')}</th><th>{t('severity.3')}</th></tr></thead>
            <tbody>
              {type.signals.map((one) => (
                <tr key={one.signal}>
                  <td>{formats.text(one.title, one.signal)}</td>
                  <td>{formats.convert(one.unit).unit || t('common.none')}</td>
                  <td className="nowrap">{limit(one.limits.alert_low, one.limits.alert_high, one.unit)}</td>
                  <td className="nowrap">{limit(one.limits.alarm_low, one.limits.alarm_high, one.unit)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {type.parts.length > 0 && (
        <ul className={classes.items}>
          {type.parts.map((one) => (
            <li key={one.component} className="small break">
              <span className="strong">{formats.text(one.title, one.component)}</span> {one.part}
              <span className="dim"> · {t('settings.leadTime')} {formats.short(one.lead_time_d * DAY)}</span>
            </li>
          ))}
        </ul>
      )}
      {type.modes.length > 0 && (
        <>
          <h3>{t('settings.modes')}</h3>
          <ul className={classes.items}>
            {type.modes.map((one) => (
              <li key={one.mode} className="small break">
                <span className="strong">{formats.text(one.title, one.mode)}</span> {formats.text(one.action, '')}
                <span className="dim"> · {t(`settings.policy_${one.policy}`)}</span>
              </li>
            ))}
          </ul>
        </>
      )}
    </details>
  );
}

function Profiles() {
  const { data, error } = useProfiles();
  if (!data) return error ? <Problem error={error} /> : <Waiting />;
  return <div className={classes.types}>{data.items.map((one) => <Type key={one.name} type={one} />)}</div>;
}

function PartState({ name, ok, error }: { name: string; ok: boolean; error: string | null }) {
  const { t } = useTranslation();
  return (
    <>
      <dt>{name}</dt>
      <dd>
        <span className={`state ${ok ? marks.normal : marks.alarm}`}>
          <Icon name={ok ? 'normal' : 'alarm'} size={14} />{ok ? t('settings.ok') : t('settings.broken')}
        </span>
        {error && <span className="small break"> {error}</span>}
      </dd>
    </>
  );
}

function Service() {
  const { t } = useTranslation();
  const formats = useFormats();
  const { data, error } = useHealth();
  const { data: counts } = useQuarantineCounts();
  if (!data) return error ? <Problem error={error} /> : <Waiting />;
  const number = new Intl.NumberFormat(formats.language);
  const { counters } = data.service;
  return (
    <div className={classes.types}>
      <section className="card">
        <dl className="facts">
          <PartState name={t('settings.broker')} {...data.broker} />
          <PartState name={t('settings.telemetry')} {...data.telemetry} />
          <PartState name={t('settings.ledger')} {...data.ledger} />
          <dt>{t('settings.position')}</dt><dd>{number.format(data.service.position)}</dd>
        </dl>
      </section>
      <section className="card">
        <h2>{t('settings.counters')}</h2>
        <dl className="facts">
          {(['messages', 'accepted', 'repeats', 'conflicts', 'aside', 'held', 'samples'] as const).map((key) => (
            <div key={key} className={classes.pair}><dt>{t(`settings.${key}`)}</dt><dd>{number.format(counters[key])}</dd></div>
          ))}
        </dl>
      </section>
      <section className="card">
        <h2>{t('settings.quarantine')}</h2>
        {(counts?.items.length ?? 0) === 0 && <Text size="sm" c="dimmed">{t('settings.none')}</Text>}
        {counts && counts.items.length > 0 && (
          <div className={classes.scroll} tabIndex={0} role="region" aria-label={t('settings.quarantine')}>
            <table className="grid small">
              <thead><tr><th>{t('settings.device')}</th><th>{t('settings.reason')}</th><th>{t('settings.count')}</th><th>{t('settings.last')}</th></tr></thead>
              <tbody>
                {counts.items.map((one) => (
                  <tr key={`${one.device}/${one.reason}`}>
                    <td>{one.device || t('common.none')}</td><td><Aside words={t(`aside.${one.reason}`, one.reason)} device={one.device} reason={one.reason} /></td><td>{number.format(one.count)}</td>
                    <td className="nowrap">{formats.moment(one.last)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </section>
      <Anchor href="/api/v1/openapi.json">{t('settings.apiDocs')}</Anchor>
    </div>
  );
}

const PARTS = {
  mine: Mine, channels: Channels, profiles: Profiles, users: Users, tokens: Tokens, service: Service,
} as const;
type Part = keyof typeof PARTS;

/** Accounts and tokens are there once somebody can sign in; the rest by role. */
function useParts(): Part[] {
  const { data } = useSession();
  if (!data) return ['mine'];
  const staff = isStaff(data.role);
  return [
    'mine',
    ...(staff ? (['channels'] as const) : []),
    'profiles',
    ...(data.role === 'administrator' && !data.trial ? (['users'] as const) : []),
    ...(data.signed_in ? (['tokens'] as const) : []),
    ...(staff ? (['service'] as const) : []),
  ];
}

/** On a phone the row of tabs scrolls: the chosen one is in it. */
const inSight = (tab: HTMLElement | null) => tab?.scrollIntoView({ block: 'nearest', inline: 'center' });

export default function Settings() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const { part: asked } = useParams();
  const parts = useParts();
  const part = parts.find((one) => one === asked) ?? 'mine';
  useTitle(t('settings.title'));
  return (
    <>
      <Title order={1} mb={8}>{t('settings.title')}</Title>
      <Tabs value={part} onChange={(value) => void navigate(`/settings/${value ?? 'mine'}`)} keepMounted={false}>
        <Tabs.List mb="md" className={classes.tabs ?? ''}>
          {parts.map((one) => <Tabs.Tab key={one} value={one} ref={one === part ? inSight : null}>{t(`settings.${one}`)}</Tabs.Tab>)}
        </Tabs.List>
        {parts.map((one) => {
          const Shown = PARTS[one];
          return <Tabs.Panel key={one} value={one}><Shown /></Tabs.Panel>;
        })}
      </Tabs>
    </>
  );
}
