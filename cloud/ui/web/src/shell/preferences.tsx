import { ActionIcon, useMantineColorScheme, useComputedColorScheme } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { LANGUAGES, setLanguage, type Language } from '../i18n';
import { Icon } from '../parts/icons';
import classes from './shell.module.css';

/** Language and appearance, one press away on every page; the browser's own list is light. */
export function Preferences() {
  const { t, i18n } = useTranslation();
  const { setColorScheme } = useMantineColorScheme();
  const dark = useComputedColorScheme('light') === 'dark';
  const other = dark ? 'light' : 'dark';
  return (
    <>
      <select
        className={classes.language} aria-label={t('prefs.language')}
        value={i18n.language in LANGUAGES ? i18n.language : 'en'}
        onChange={(event) => void setLanguage(event.currentTarget.value as Language)}
      >
        {(Object.keys(LANGUAGES) as Language[]).map((one) => (
          <option key={one} value={one} lang={one}>{LANGUAGES[one]}</option>
        ))}
      </select>
      <ActionIcon
        color="gray"
        variant="subtle"
        size="lg"
        aria-label={t('common.labelled', { label: t('prefs.theme'), value: t(`prefs.${other}`) })}
        onClick={() => setColorScheme(other)}
      >
        <Icon name={dark ? 'sun' : 'moon'} />
      </ActionIcon>
    </>
  );
}
