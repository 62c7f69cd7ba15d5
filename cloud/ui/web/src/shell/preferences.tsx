import { ActionIcon, Menu, useMantineColorScheme, useComputedColorScheme } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { LANGUAGES, setLanguage, type Language } from '../i18n';
import { Icon } from '../parts/icons';

/** Language and appearance, one press away on every page. */
export function Preferences() {
  const { t, i18n } = useTranslation();
  const { setColorScheme } = useMantineColorScheme();
  const dark = useComputedColorScheme('light') === 'dark';
  const other = dark ? 'light' : 'dark';
  return (
    <>
      <Menu position="bottom-end" withinPortal>
        <Menu.Target>
          <ActionIcon color="gray" variant="subtle" aria-label={`${t('prefs.language')}: ${i18n.language.startsWith('zh') ? '中' : 'EN'}`} size="lg">
            <span aria-hidden>{i18n.language.startsWith('zh') ? '中' : 'EN'}</span>
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          {(Object.keys(LANGUAGES) as Language[]).map((one) => (
            <Menu.Item key={one} lang={one} onClick={() => void setLanguage(one)}>
              {LANGUAGES[one]}
            </Menu.Item>
          ))}
        </Menu.Dropdown>
      </Menu>
      <ActionIcon
        color="gray"
        variant="subtle"
        size="lg"
        aria-label={`${t('prefs.theme')}: ${t(`prefs.${other}`)}`}
        onClick={() => setColorScheme(other)}
      >
        <Icon name={dark ? 'sun' : 'moon'} />
      </ActionIcon>
    </>
  );
}
