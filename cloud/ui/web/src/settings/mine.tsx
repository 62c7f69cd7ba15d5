/** What I set about myself: kept in my account, or in this browser while nobody signs in. */
import { NativeSelect, PasswordInput, Text, TextInput } from '@mantine/core';
import { useMantineColorScheme, type MantineColorScheme } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useChangeMe, useChangePassword, type Preferences } from '../api/admin';
import { signIn, useSession, type Session } from '../api/session';
import { LANGUAGES, setLanguage, type Language } from '../i18n';
import { BusyButton } from '../parts/busy';
import { useNotice } from '../parts/notice';
import { usePrefs } from '../parts/prefs';
import classes from '../pages/settings.module.css';

const ZONES = ['UTC', ...Intl.supportedValuesOf('timeZone').filter((one) => one !== 'UTC')];
const HERE = Intl.DateTimeFormat().resolvedOptions().timeZone;
type Me = NonNullable<Session['me']>;

export function Mine() {
  const { t, i18n } = useTranslation();
  const { prefs, change } = usePrefs();
  const { fail } = useNotice();
  const { data: session } = useSession();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const keep = useChangeMe();
  const me = session?.me ?? null;
  const save = (part: Partial<Preferences>) => {
    if (!me) return;
    const body = { language: me.language, zone: me.zone, units: me.units, full_name: me.full_name, ...part };
    keep.mutate({ version: me.version, body }, { onError: fail });
  };
  return (
    <div className={classes.form}>
      {me ? (
        <TextInput
          key={me.version} label={t('users.fullName')} defaultValue={me.full_name ?? ''} maxLength={200}
          onBlur={(event) => save({ full_name: event.currentTarget.value.trim() || null })}
        />
      ) : (
        <TextInput
          label={t('prefs.name')} description={t('prefs.nameHint')} value={prefs.name} maxLength={100}
          onChange={(event) => change({ name: event.currentTarget.value })}
        />
      )}
      <NativeSelect
        label={t('prefs.language')} value={i18n.language in LANGUAGES ? i18n.language : 'en'}
        onChange={(event) => {
          const language = event.currentTarget.value as Language;
          void setLanguage(language);
          save({ language });
        }}
        data={(Object.keys(LANGUAGES) as Language[]).map((value) => ({ value, label: LANGUAGES[value] }))}
      />
      <NativeSelect
        label={t('prefs.theme')} value={colorScheme}
        onChange={(event) => setColorScheme(event.currentTarget.value as MantineColorScheme)}
        data={(['auto', 'light', 'dark'] as const).map((value) => ({ value, label: t(`prefs.${value}`) }))}
      />
      <NativeSelect
        label={t('prefs.zone')} value={prefs.zone}
        onChange={(event) => {
          change({ zone: event.currentTarget.value });
          save({ zone: event.currentTarget.value || null });
        }}
        data={[{ value: '', label: t('prefs.zoneHere', { zone: HERE }) }, ...ZONES]}
      />
      <NativeSelect
        label={t('prefs.units')} value={prefs.units}
        onChange={(event) => {
          const units = event.currentTarget.value as 'metric' | 'imperial';
          change({ units });
          save({ units });
        }}
        data={(['metric', 'imperial'] as const).map((value) => ({ value, label: t(`prefs.${value}`) }))}
      />
      {me ? <Password me={me} /> : <Text size="sm" c="dimmed">{t('prefs.saved')}</Text>}
    </div>
  );
}

function Password({ me }: { me: Me }) {
  const { t } = useTranslation();
  const { fail } = useNotice();
  const change = useChangePassword();
  const [present, setPresent] = useState('');
  const [next, setNext] = useState('');
  return (
    <form
      className={classes.form}
      onSubmit={(event) => {
        event.preventDefault();
        change.mutate({ version: me.version, body: { present, new: next } }, { onSuccess: signIn, onError: fail });
      }}
    >
      <h2 className={classes.title}>{t('users.password')}</h2>
      <input type="hidden" name="username" autoComplete="username" value={me.name} readOnly />
      <PasswordInput
        label={t('users.passwordNow')} autoComplete="current-password" required value={present} maxLength={256}
        onChange={(event) => setPresent(event.currentTarget.value)}
        visibilityToggleButtonProps={{ 'aria-label': t('users.passwordShow') }}
      />
      <PasswordInput
        label={t('users.passwordNew')} description={t('users.passwordHint')} autoComplete="new-password" required
        minLength={12} maxLength={256} value={next} onChange={(event) => setNext(event.currentTarget.value)}
        visibilityToggleButtonProps={{ 'aria-label': t('users.passwordShow') }}
      />
      <BusyButton type="submit" variant="default" off={!present || next.length < 12} busy={change.isPending}>
        {t('users.passwordChange')}
      </BusyButton>
    </form>
  );
}
