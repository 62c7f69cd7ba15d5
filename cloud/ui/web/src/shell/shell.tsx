import { Alert } from '@mantine/core';
import { lazy, Suspense, useEffect, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { NavLink } from 'react-router';
import { useBoard } from '../api/queries';
import { isStaff, signIn, useSession } from '../api/session';
import { Waiting } from '../parts/waiting';
import { useLiveness } from '../live';
import { useFormats } from '../parts/format';
import { Icon, type IconName } from '../parts/icons';
import { Preferences } from './preferences';
import classes from './shell.module.css';

const Person = lazy(() => import('./person'));

interface Page {
  to: string;
  icon: IconName;
  words: 'fleet' | 'inbox' | 'tickets' | 'overview' | 'settings';
  staff?: boolean;
}

const PAGES: Page[] = [
  { to: '/', icon: 'fleet', words: 'fleet' },
  { to: '/inbox', icon: 'inbox', words: 'inbox', staff: true },
  { to: '/tickets', icon: 'tickets', words: 'tickets' },
  { to: '/overview', icon: 'overview', words: 'overview' },
  { to: '/settings', icon: 'settings', words: 'settings' },
];

function useCounts(): Record<string, number> {
  const { data } = useBoard();
  if (!data) return {};
  return {
    inbox: data.items.filter((row) => row.advisory?.state === 'open').length,
    tickets: data.items.filter((row) => row.ticket).length,
  };
}

function Navigation() {
  const { t } = useTranslation();
  const counts = useCounts();
  const { data: session } = useSession();
  const staff = isStaff(session?.role ?? null);
  return (
    <nav className={classes.nav} aria-label={t('nav.main')}>
      {PAGES.filter((page) => staff || !page.staff).map(({ to, icon, words }) => (
        <NavLink key={to} to={to} end={to === '/'} className={classes.link ?? ''}>
          <Icon name={icon} size={18} />
          <span className={classes.words}>{t(`nav.${words}`)}</span>
          {counts[words] ? <span className={classes.count}>{counts[words]}</span> : null}
        </NavLink>
      ))}
    </nav>
  );
}

function LiveMark() {
  const { t } = useTranslation();
  const { state } = useLiveness();
  return (
    <span className={`${classes.mark} ${classes[state]}`} role="status">
      <span className={classes.dot} aria-hidden />
      {t(`live.${state}`)}
    </span>
  );
}

function CutBanner() {
  const { t } = useTranslation();
  const { time } = useFormats();
  const liveness = useLiveness();
  if (liveness.state !== 'cut') return null;
  return (
    <Alert color="red" variant="light" radius={0} py={6} role="alert" icon={<Icon name="silent" />}>
      {t('live.cutLong', { time: time(liveness.since) })}
    </Alert>
  );
}

export function Shell({ children }: { children: ReactNode }) {
  const { t } = useTranslation();
  const { zoneAt } = useFormats();
  const { data: session } = useSession();
  const outside = session !== undefined && session.role === null;
  useEffect(() => {
    if (outside) signIn();
  }, [outside]);
  if (outside) return <Waiting />;
  return (
    <div className={classes.shell}>
      <a className="skip" href="#content">{t('nav.skip')}</a>
      <header className={classes.header}>
        <NavLink to="/" className={classes.brand ?? ''}>
          <svg width="24" height="24" viewBox="0 0 32 32" aria-hidden>
            <rect width="32" height="32" rx="7" fill="#1f4e79" />
            <path d="M4 20h5l3-6 4 9 4-14 3 11h5" fill="none" stroke="#fff" strokeWidth="2.6" strokeLinejoin="round" strokeLinecap="round" />
          </svg>
          <span>{t('app')}</span>
        </NavLink>
        <div className={classes.right}>
          <LiveMark />
          <span className={`dim small ${classes.zone}`} title={t('prefs.zone')}>{zoneAt(Date.now())}</span>
          <Preferences />
          {session?.me && <Suspense><Person me={session.me} /></Suspense>}
        </div>
      </header>
      <Navigation />
      <main id="content" className={classes.main} tabIndex={0}>
        {session?.trial && (
          <p className={session.demo ? classes.demo : `${classes.demo} screen`}>{session.demo ? t('live.demo') : t('live.trial')}</p>
        )}
        <CutBanner />
        <div className={classes.page}>{children}</div>
      </main>
    </div>
  );
}
