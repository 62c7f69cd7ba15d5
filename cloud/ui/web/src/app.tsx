import { lazy, Suspense } from 'react';
import { Route, Routes } from 'react-router';
import { Failing } from './parts/failing';
import { Waiting } from './parts/waiting';
import { NoticeProvider } from './parts/notice';
import { Shell } from './shell/shell';

const Board = lazy(() => import('./pages/board'));
const Machine = lazy(() => import('./pages/machine'));
const Inbox = lazy(() => import('./pages/inbox'));
const Tickets = lazy(() => import('./pages/tickets'));
const Ticket = lazy(() => import('./pages/ticket'));
const Overview = lazy(() => import('./pages/overview'));
const Settings = lazy(() => import('./pages/settings'));
const Missing = lazy(() => import('./pages/missing'));

export function App() {
  return (
    <NoticeProvider>
    <Shell>
      <Failing>
        <Suspense fallback={<Waiting />}>
          <Routes>
            <Route index element={<Board />} />
            <Route path="machines/:machine" element={<Machine />} />
            <Route path="inbox/:advisory?" element={<Inbox />} />
            <Route path="tickets" element={<Tickets />} />
            <Route path="tickets/:ticket" element={<Ticket />} />
            <Route path="overview" element={<Overview />} />
            <Route path="settings/:part?" element={<Settings />} />
            <Route path="*" element={<Missing />} />
          </Routes>
        </Suspense>
      </Failing>
    </Shell>
    </NoticeProvider>
  );
}
