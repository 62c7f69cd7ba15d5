import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import type { QueryClient } from '@tanstack/react-query';
import { api, ApiError, got, Outdated, whole } from './client';
import { isStaff, useRole } from './session';
import { ITSELF } from '../parts/format';
import type { Advisory, AdvisoryState, Ticket, TicketState } from './client';

const LONG = 1000 * 60 * 60;

export const useBoard = () =>
  useQuery({
    queryKey: ['board'],
    queryFn: () => got(api.GET('/api/v1/board')),
    staleTime: 30_000,
    structuralSharing: false, // comparing thousands of rows costs more than drawing those in sight
  });

export const useMachine = (machine: string) =>
  useQuery({
    queryKey: ['machine', machine],
    queryFn: () =>
      got(api.GET('/api/v1/machines/{machine}', { params: { path: { machine } } })),
  });

export const useSignals = (machine: string) =>
  useQuery({
    queryKey: ['signals', machine],
    queryFn: () =>
      got(api.GET('/api/v1/machines/{machine}/signals', { params: { path: { machine } } })),
  });

export const useTrend = (machine: string) =>
  useQuery({
    queryKey: ['trend', machine],
    queryFn: () =>
      got(api.GET('/api/v1/machines/{machine}/trend', { params: { path: { machine } } })),
    placeholderData: keepPreviousData,
  });

export const useParts = (machine: string) =>
  useQuery({
    queryKey: ['parts', machine],
    queryFn: () =>
      got(api.GET('/api/v1/machines/{machine}/parts', { params: { path: { machine } } })),
  });

export const useProfile = (profile: string | undefined) =>
  useQuery({
    queryKey: ['profile', profile],
    queryFn: () =>
      got(
        api.GET('/api/v1/profiles/{profile}', { params: { path: { profile: profile ?? '' } } }),
      ),
    enabled: Boolean(profile),
    staleTime: LONG,
    retry: false,
  });

export const useProfiles = () =>
  useQuery({
    queryKey: ['profiles'],
    queryFn: () => got(api.GET('/api/v1/profiles')),
    staleTime: LONG,
  });

export const useHealth = () =>
  useQuery({
    queryKey: ['health'],
    queryFn: () => got(api.GET('/api/v1/health')),
    refetchInterval: 15_000,
  });

export interface Span {
  from: number; // ms
  to: number; // ms
}

export const useSeries = (machine: string, signal: string, span: Span | null, width: number) =>
  useQuery({
    queryKey: ['series', machine, signal, span?.from, span?.to, width],
    queryFn: ({ signal: abort }) =>
      got(
        api.GET('/api/v1/machines/{machine}/series', {
          params: {
            path: { machine },
            query: {
              signal,
              start: new Date(span?.from ?? 0).toISOString(),
              end: new Date(span?.to ?? 0).toISOString(),
              width: String(width),
            },
          },
          signal: abort,
        }),
      ),
    enabled: span !== null,
    placeholderData: keepPreviousData,
    staleTime: LONG,
    gcTime: 60_000,
  });

/** Advisories are for those who work on them; a customer reads about tickets. */
export const useStaff = (): boolean => isStaff(useRole());

export const useAdvisories = (filter: { machine?: string; state?: AdvisoryState[] }) =>
  useQuery({
    enabled: useStaff(),
    queryKey: ['advisories', filter],
    queryFn: () =>
      whole(
        got(api.GET('/api/v1/advisories', { params: { query: { ...filter, limit: 200 } } })),
      ),
  });

export const useAdvisory = (advisory: string | undefined) =>
  useQuery({
    queryKey: ['advisory', advisory],
    queryFn: () =>
      got(
        api.GET('/api/v1/advisories/{advisory}', {
          params: { path: { advisory: advisory ?? '' } },
        }),
      ),
    enabled: useStaff() && Boolean(advisory),
  });

export const useWhy = (advisory: string | undefined | null) =>
  useQuery({
    queryKey: ['why', advisory],
    queryFn: () =>
      got(
        api.GET('/api/v1/advisories/{advisory}/why', {
          params: { path: { advisory: advisory ?? '' } },
        }),
      ),
    enabled: useStaff() && Boolean(advisory),
  });

export const useTicketWhy = (ticket: string) =>
  useQuery({
    queryKey: ['why', ticket],
    queryFn: () =>
      got(api.GET('/api/v1/tickets/{ticket}/why', { params: { path: { ticket } } })),
  });

export const useEvidence = (advisory: string | undefined | null) =>
  useQuery({
    queryKey: ['evidence', advisory],
    queryFn: () =>
      got(
        api.GET('/api/v1/advisories/{advisory}/evidence', {
          params: { path: { advisory: advisory ?? '' } },
        }),
      ),
    enabled: useStaff() && Boolean(advisory),
  });

export const useTickets = (filter: { machine?: string; state?: TicketState[] }) =>
  useQuery({
    queryKey: ['tickets', filter],
    queryFn: () =>
      whole(got(api.GET('/api/v1/tickets', { params: { query: { ...filter, limit: 200 } } }))),
  });

export const useTicket = (ticket: string | undefined) =>
  useQuery({
    queryKey: ['ticket', ticket],
    queryFn: () =>
      got(
        api.GET('/api/v1/tickets/{ticket}', { params: { path: { ticket: ticket ?? '' } } }),
      ),
    enabled: Boolean(ticket),
  });

const history = (ticket: string) =>
  whole(
    got(
      api.GET('/api/v1/tickets/{ticket}/history', {
        params: { path: { ticket }, query: { limit: 200 } },
      }),
    ),
  );

export const useHistory = (ticket: string) =>
  useQuery({ queryKey: ['history', ticket], queryFn: () => history(ticket) });

export const useQuarantineCounts = () =>
  useQuery({
    enabled: useStaff(),
    queryKey: ['quarantine-counts'],
    queryFn: () => got(api.GET('/api/v1/quarantine/counts')),
    staleTime: 30_000,
  });

/** The newest that was set aside of a device, for one reason or any. */
export const useQuarantine = (device: string, reason?: string) =>
  useQuery({
    queryKey: ['quarantine', device, reason ?? ''],
    queryFn: () =>
      got(api.GET('/api/v1/quarantine', { params: { query: { device, limit: 5, ...(reason ? { reason } : {}) } } })),
  });

/** Writes name the version they saw, so that nobody overwrites what a colleague just did. */
const written = (version: number) => ({
  header: { 'If-Match': `"${version}"`, 'Idempotency-Key': crypto.randomUUID() },
});

export function refreshWork(client: QueryClient): void {
  for (const key of ['advisories', 'advisory', 'tickets', 'ticket', 'history', 'why', 'board']) {
    void client.invalidateQueries({ queryKey: [key] });
  }
}

const TRIES = 4;
const PUTS_AWAY = new Set(['reject', 'shelve', 'defer', 'cancel']);

/**
 * Write on what was seen, `first`. Where it changed since and nobody `acted`, only the service moved
 * dates, priority or severity with the machine: write again on that, but never put away what is more
 * severe than what was seen.
 */
async function persevering<T extends { severity: number }>(
  first: T, kind: string, write: (seen: T) => Promise<T>, read: () => Promise<T>,
  acted: (first: T, seen: T) => boolean | Promise<boolean>,
): Promise<T> {
  let seen = first;
  for (let left = TRIES; ; left -= 1) {
    try {
      return await write(seen);
    } catch (error) {
      const stale = error instanceof ApiError && error.problem.status === 412;
      if (!stale || left === 1) throw error;
      seen = await read();
      const worse = PUTS_AWAY.has(kind) && seen.severity > first.severity;
      if (worse || (await acted(first, seen))) throw new Outdated(error.problem, seen, worse);
    }
  }
}

export type Decision =
  | { kind: 'accept' }
  | { kind: 'acknowledge' }
  | { kind: 'shelve'; reason: string }
  | { kind: 'defer'; until: string; reason?: string }
  | { kind: 'reject'; reason: string };

export interface Deciding {
  advisory: Advisory;
  decision: Decision;
  actor: string;
  signal?: AbortSignal; // gives it up
}

function sendDecision({ advisory, decision, actor, signal }: Deciding): Promise<Advisory> {
  const to = { params: { path: { advisory: advisory.id }, ...written(advisory.version) }, ...(signal && { signal }) };
  switch (decision.kind) {
    case 'accept':
      return got(api.POST('/api/v1/advisories/{advisory}/accept', { ...to, body: { actor } }));
    case 'defer': {
      const { until, reason } = decision;
      const body = { actor, until, ...(reason ? { reason } : {}) };
      return got(api.POST('/api/v1/advisories/{advisory}/defer', { ...to, body }));
    }
    case 'acknowledge':
      return got(api.POST('/api/v1/advisories/{advisory}/acknowledge', { ...to, body: { actor } }));
    case 'shelve': {
      const body = { actor, reason: decision.reason };
      return got(api.POST('/api/v1/advisories/{advisory}/shelve', { ...to, body }));
    }
    case 'reject': {
      const body = { actor, reason: decision.reason };
      return got(api.POST('/api/v1/advisories/{advisory}/reject', { ...to, body }));
    }
  }
}

/** All that people write on an advisory. */
const DECIDED = [
  'state', 'acknowledged_by', 'acknowledged', 'decided_by', 'reason', 'defer_until', 'ticket_id', 'verdict',
] as const;

const deciding = (doing: Deciding): Promise<Advisory> =>
  persevering(
    doing.advisory,
    doing.decision.kind,
    (advisory) => sendDecision({ ...doing, advisory }),
    () =>
      got(api.GET('/api/v1/advisories/{advisory}', { params: { path: { advisory: doing.advisory.id } } })),
    (first, seen) => DECIDED.some((name) => seen[name] !== first[name]),
  );

export function useDecide() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: deciding,
    onSuccess: (done) => client.setQueryData(['advisory', done.id], done),
    onSettled: () => refreshWork(client),
  });
}

export type Step =
  | { kind: 'acknowledge' }
  | { kind: 'resolve'; verdict: 'confirmed' | 'no_fault_found' | 'inconclusive';
      as_found?: string; note?: string; replaced?: string }
  | { kind: 'reopen'; note: string }
  | { kind: 'close'; confirmed: boolean; note?: string }
  | { kind: 'cancel'; note: string };

export interface Doing {
  ticket: Ticket;
  step: Step;
  actor: string;
  signal?: AbortSignal; // gives it up
}

/** Events that leave a ticket's version as it is; each version is written with one of the others. */
const REMARKS = new Set(['commented', 'noted']);

const actedOn = async (first: Ticket, seen: Ticket): Promise<boolean> => {
  const steps = (await history(seen.id)).filter((event) => !REMARKS.has(event.type));
  return steps.slice(first.version - seen.version).some((event) => !ITSELF.has(event.actor));
};

const stepping = (doing: Doing): Promise<Ticket> =>
  persevering(
    doing.ticket,
    doing.step.kind,
    (ticket) => send({ ...doing, ticket }),
    () => got(api.GET('/api/v1/tickets/{ticket}', { params: { path: { ticket: doing.ticket.id } } })),
    actedOn,
  );

function send({ ticket, step, actor, signal }: Doing): Promise<Ticket> {
  const to = { params: { path: { ticket: ticket.id }, ...written(ticket.version) }, ...(signal && { signal }) };
  switch (step.kind) {
    case 'acknowledge':
      return got(api.POST('/api/v1/tickets/{ticket}/acknowledge', { ...to, body: { actor } }));
    case 'resolve': {
      const { verdict, as_found, note, replaced } = step;
      const body = {
        actor,
        verdict,
        ...(as_found ? { as_found } : {}),
        ...(note ? { note } : {}),
        ...(replaced ? { replaced } : {}),
      };
      return got(api.POST('/api/v1/tickets/{ticket}/resolve', { ...to, body }));
    }
    case 'reopen': {
      const body = { actor, note: step.note };
      return got(api.POST('/api/v1/tickets/{ticket}/reopen', { ...to, body }));
    }
    case 'close': {
      const body = {
        actor,
        confirmed: step.confirmed,
        ...(step.note ? { note: step.note } : {}),
      };
      return got(api.POST('/api/v1/tickets/{ticket}/close', { ...to, body }));
    }
    case 'cancel': {
      const body = { actor, note: step.note };
      return got(api.POST('/api/v1/tickets/{ticket}/cancel', { ...to, body }));
    }
  }
}

export function useStep() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: stepping,
    onSuccess: (done) => client.setQueryData(['ticket', done.id], done),
    onSettled: () => refreshWork(client),
  });
}

export function useComment() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ ticket, text, actor }: { ticket: string; text: string; actor: string }) =>
      got(
        api.POST('/api/v1/tickets/{ticket}/comments', {
          params: {
            path: { ticket },
            header: { 'Idempotency-Key': crypto.randomUUID() },
          },
          body: { actor, text },
        }),
      ),
    onSettled: (_data, _error, { ticket }) => {
      void client.invalidateQueries({ queryKey: ['history', ticket] }); // waits while offline
    },
  });
}
