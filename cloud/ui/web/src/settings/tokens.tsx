/** My API tokens: programs that act for me, with less than I may. */
import { Button, NativeSelect, NumberInput, Text, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useMakeToken, useRevoke, useTokens, type TokenWish } from '../api/admin';
import { BusyButton, useKept } from '../parts/busy';
import { Problem } from '../parts/failing';
import { useFormats } from '../parts/format';
import { useNotice } from '../parts/notice';
import { Waiting } from '../parts/waiting';
import classes from '../pages/settings.module.css';
import { SecretDialog } from './secret';
import { Table } from './table';

type Scope = NonNullable<TokenWish['scope']>;
const SCOPES: Scope[] = ['read', 'write', 'manage'];

export function Tokens() {
  const { t } = useTranslation();
  const formats = useFormats();
  const { fail } = useNotice();
  const { data, error } = useTokens();
  const make = useMakeToken();
  const revoke = useRevoke();
  const { part, keep } = useKept<HTMLElement>();
  const [name, setName] = useState('');
  const [scope, setScope] = useState<Scope>('read');
  const [days, setDays] = useState(90);
  const [secret, setSecret] = useState<string | null>(null);
  if (!data) return error ? <Problem error={error} /> : <Waiting />;
  return (
    <section className={`card ${classes.types}`} {...part}>
      <h2>{t('settings.tokens')}</h2>
      <Text size="sm" c="dimmed">{t('tokens.hint')}</Text>
      <form
        className={classes.row}
        onSubmit={(event) => {
          event.preventDefault();
          make.mutate(
            { name: name.trim(), scope, days },
            {
              onSuccess: (done) => {
                setSecret(done.secret);
                setName('');
              },
              onError: fail,
            },
          );
        }}
      >
        <TextInput label={t('tokens.name')} required maxLength={100} value={name} onChange={(event) => setName(event.currentTarget.value)} />
        <NativeSelect
          label={t('tokens.scope')} value={scope} onChange={(event) => setScope(event.currentTarget.value as Scope)}
          data={SCOPES.map((value) => ({ value, label: t(`tokens.scope_${value}`) }))}
        />
        <NumberInput
          label={t('tokens.days')} min={1} max={365} value={days} hideControls w={110}
          onChange={(value) => setDays(Number(value) || 1)}
        />
        <BusyButton type="submit" off={!name.trim()} busy={make.isPending}>{t('tokens.make')}</BusyButton>
      </form>
      {data.length > 0 && (
        <Table
          label={t('settings.tokens')}
          columns={[t('tokens.name'), t('tokens.scope'), t('tokens.expires'), t('tokens.used'), t('users.actions')]}
          rows={data.map((one) => ({
            key: one.id,
            cells: [
              <span className="strong">{one.name}</span>,
              t(`tokens.scope_${one.scope}`),
              <span className="nowrap">{formats.date(one.expires)}</span>,
              <span className="nowrap">{one.used ? formats.moment(one.used) : t('ago.never')}</span>,
              one.revoked ? (
                <span className="dim">{t('tokens.revoked')}</span>
              ) : (
                <Button size="compact-sm" variant="default" onClick={() => revoke.mutate(one, { onSuccess: keep, onError: fail })}>
                  {t('tokens.revoke')}
                </Button>
              ),
            ],
          }))}
        />
      )}
      <SecretDialog title={t('tokens.made')} hint={t('tokens.madeHint')} secret={secret} close={() => setSecret(null)} />
    </section>
  );
}
