import './mantine.css';
import './global.css';
import { QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { MantineProvider } from '@mantine/core';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { BrowserRouter } from 'react-router';
import { ApiError } from './api/client';
import { signIn } from './api/session';
import { App } from './app';
import { startI18n } from './i18n';
import { LiveProvider } from './live';
import { PrefsProvider } from './parts/prefs';
import { renewAfterUpgrade } from './parts/renew';
import { resolver, theme } from './theme';

const nonce = document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce;

// the scroll lock of dialogues asks for the nonce by this name (package get-nonce)
Object.assign(globalThis, { __webpack_nonce__: nonce });

// paper is white: what is printed is coloured as on a light screen
const { dataset } = document.documentElement;
let scheme = dataset.mantineColorScheme;
addEventListener('beforeprint', () => {
  scheme = dataset.mantineColorScheme;
  dataset.mantineColorScheme = 'light';
});
addEventListener('afterprint', () => {
  dataset.mantineColorScheme = scheme;
});

const client = new QueryClient({
  queryCache: new QueryCache({
    onError: (error) => {
      if (error instanceof ApiError && error.problem.status === 401) signIn();
    },
  }),
  defaultOptions: {
    mutations: { networkMode: 'always' }, // what fails is said now, not done later
    queries: {
      staleTime: 5_000,
      refetchOnWindowFocus: false,
      retry: (count, error) =>
        count < 3 && !(error instanceof ApiError && error.problem.status < 500),
    },
  },
});

renewAfterUpgrade();
await startI18n();
createRoot(document.getElementById('root') as HTMLElement).render(
  <StrictMode>
    <MantineProvider
      theme={theme}
      cssVariablesResolver={resolver}
      defaultColorScheme="auto"
      getStyleNonce={() => nonce ?? ''}
    >
      <QueryClientProvider client={client}>
        <PrefsProvider>
          <LiveProvider>
            <BrowserRouter>
              <App />
            </BrowserRouter>
          </LiveProvider>
        </PrefsProvider>
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
