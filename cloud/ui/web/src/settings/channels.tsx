/** Over which channels people are told, and whether it went. */
import { Text } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useChannels, useDeliveries, useTestChannel } from '../api/admin';
import { useRole } from '../api/session';
import { LANGUAGES } from '../i18n';
import { BusyButton } from '../parts/busy';
import { Problem } from '../parts/failing';
import { useFormats } from '../parts/format';
import { Icon } from '../parts/icons';
import marks from '../parts/marks.module.css';
import { useNotice } from '../parts/notice';
import { Waiting } from '../parts/waiting';
import classes from '../pages/settings.module.css';
import { Table } from './table';

function Went({ error }: { error: string | null }) {
  const { t } = useTranslation();
  return (
    <span className={`state ${error === null ? marks.normal : marks.alarm}`}>
      <Icon name={error === null ? 'normal' : 'alarm'} size={14} />
      {error === null ? t('channels.sent') : t('channels.failed')}
    </span>
  );
}

export function Channels() {
  const { t } = useTranslation();
  const formats = useFormats();
  const role = useRole();
  const { say, fail } = useNotice();
  const { data, error } = useChannels();
  const { data: log } = useDeliveries();
  const test = useTestChannel();
  const [outcomes, setOutcomes] = useState<Record<string, string | null>>({});
  if (!data) return error ? <Problem error={error} /> : <Waiting />;
  const spoken = (one: string) => (one === 'zh' ? LANGUAGES['zh-CN'] : LANGUAGES.en);
  const send = (channel: string) =>
    test.mutate(channel, {
      onSuccess: (done) => {
        setOutcomes((before) => ({ ...before, [channel]: done.error }));
        if (done.sent) say(t('channels.testSent', { channel }));
      },
      onError: fail,
    });
  return (
    <div className={classes.types}>
      <section className="card">
        <h2>{t('settings.channels')}</h2>
        <Text size="sm" c="dimmed" mb="xs">{t('channels.hint')}</Text>
        <Table
          label={t('settings.channels')}
          columns={[t('channels.name'), t('prefs.language'), t('channels.test')]}
          rows={data.items.map((one) => ({
            key: one.name,
            cells: [
              <>
                <span className="strong">{one.name}</span>
                {one.fallback && <span className="dim"> · {t('channels.fallback')}</span>}
              </>,
              formats.list(one.languages.map(spoken)),
              <>
                {role === 'administrator' && (
                  <BusyButton
                    size="compact-sm" variant="default" onClick={() => send(one.name)}
                    busy={test.isPending && test.variables === one.name}
                  >
                    {t('channels.sendTest')}
                  </BusyButton>
                )}
                {one.name in outcomes && (
                  <> <Went error={outcomes[one.name] ?? null} /> <span className="break">{outcomes[one.name]}</span></>
                )}
              </>,
            ],
          }))}
        />
      </section>
      <section className="card">
        <h2>{t('channels.log')}</h2>
        {(log?.items.length ?? 0) === 0 && <Text size="sm" c="dimmed">{t('channels.noLog')}</Text>}
        {log && log.items.length > 0 && (
          <Table
            label={t('channels.log')}
            columns={[t('channels.when'), t('channels.outcome'), t('channels.name'), t('board.machine'), t('channels.attempt')]}
            rows={log.items.map((one) => ({
              key: one.id,
              cells: [
                <span className="nowrap">{formats.moment(one.recorded)}</span>,
                <><Went error={one.error} /> <span className="break">{one.error}</span></>,
                one.channel,
                <span className="break">{one.machine}</span>,
                one.attempt,
              ],
            }))}
          />
        )}
      </section>
    </div>
  );
}
