/** Short words at the bottom of the page: what was done, or why not. */
import { CloseButton } from '@mantine/core';
import type { TFunction } from 'i18next';
import { createContext, useCallback, useContext, useEffect, useMemo, useState, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { ApiError, Outdated, Unanswered } from '../api/client';
import classes from './notice.module.css';

interface Notice {
  text: string;
  bad: boolean;
}

const STAYS_MS = 6_000;
const Context = createContext<{ say: (text: string) => void; fail: (error: unknown) => void }>({
  say: () => undefined,
  fail: () => undefined,
});

/** Why something was not done. */
export function refusal(error: unknown, t: TFunction): string {
  if (error instanceof Outdated && error.worse) return t('common.worse');
  if (error instanceof ApiError && error.problem.status === 412) return t('common.changed');
  if (error instanceof Unanswered) return t('common.unanswered');
  return t('common.notSaved', { why: error instanceof ApiError ? error.problem.detail : String(error) });
}

export function NoticeProvider({ children }: { children: ReactNode }) {
  const { t } = useTranslation();
  const [notice, setNotice] = useState<Notice | null>(null);
  useEffect(() => {
    if (!notice || notice.bad) return undefined;
    const timer = setTimeout(() => setNotice(null), STAYS_MS);
    return () => clearTimeout(timer);
  }, [notice]);
  const say = useCallback((text: string) => setNotice({ text, bad: false }), []);
  const fail = useCallback(
    (error: unknown) => {
      setNotice({ text: refusal(error, t), bad: true });
    },
    [t],
  );
  const value = useMemo(() => ({ say, fail }), [say, fail]);
  return (
    <Context value={value}>
      {children}
      <div aria-live="polite" className={classes.place}>
        {notice && (
          <div className={`${classes.notice} ${notice.bad ? classes.bad : ''}`} role={notice.bad ? 'alert' : 'status'}>
            <span className="break">{notice.text}</span>
            <CloseButton size="sm" aria-label={t('common.dismissMessage')} onClick={() => setNotice(null)} />
          </div>
        )}
      </div>
    </Context>
  );
}

export const useNotice = () => useContext(Context);
