/** What a person chose in this browser: zone, units, name. */
import { createContext, useContext, useMemo, useState, type ReactNode } from 'react';

export interface Prefs {
  zone: string; // IANA name; '' = this computer's
  units: 'metric' | 'imperial';
  name: string;
}

const KEY = 'forewarn.prefs';
const DEFAULT: Prefs = { zone: '', units: 'metric', name: '' };

function load(): Prefs {
  try {
    return { ...DEFAULT, ...(JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<Prefs>) };
  } catch {
    return DEFAULT;
  }
}

const Context = createContext<{ prefs: Prefs; change: (part: Partial<Prefs>) => void }>({
  prefs: DEFAULT,
  change: () => undefined,
});

export function PrefsProvider({ children }: { children: ReactNode }) {
  const [prefs, setPrefs] = useState(load);
  const value = useMemo(
    () => ({
      prefs,
      change: (part: Partial<Prefs>) => {
        const next = { ...prefs, ...part };
        localStorage.setItem(KEY, JSON.stringify(next));
        setPrefs(next);
      },
    }),
    [prefs],
  );
  return <Context value={value}>{children}</Context>;
}

export const usePrefs = () => useContext(Context);

/** The name that stands beside decisions. */
export const useActor = (): string => usePrefs().prefs.name.trim() || 'local';
