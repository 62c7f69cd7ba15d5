import { ActionIcon, Menu } from '@mantine/core';
import { useEffect } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { signOut, type Session } from '../api/session';
import { setLanguage } from '../i18n';
import { Icon } from '../parts/icons';
import { useNotice } from '../parts/notice';
import { usePrefs } from '../parts/prefs';

type Me = NonNullable<Session['me']>;

/** Who is signed in. */
export default function Person({ me }: { me: Me }) {
  const { t } = useTranslation();
  const { fail } = useNotice();
  const { change } = usePrefs();
  const { zone, units, language } = me;
  useEffect(() => {
    if (zone || units) change({ ...(zone ? { zone } : {}), ...(units ? { units } : {}) });
    if (language) void setLanguage(language);
  }, [zone, units, language]);
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <ActionIcon color="gray" size="lg" aria-label={t('session.account', { name: me.name })}>
          <Icon name="overview" />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{me.full_name ?? me.name} · {t(`role.${me.role}`)}</Menu.Label>
        <Menu.Item component={Link} to="/settings/mine">{t('settings.mine')}</Menu.Item>
        <Menu.Item onClick={() => void signOut().catch(fail)}>{t('session.signOut')}</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
