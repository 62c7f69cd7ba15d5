/** People, tokens, channels, and what I set about myself. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, ApiError, got, Outdated, whole } from './client';
import type { components } from './schema';

type Schemas = components['schemas'];
export type User = Schemas['UserView'];
export type Invitation = Schemas['Invitation'];
export type UserChange = Schemas['UserChange'];
export type Token = Schemas['TokenView'];
export type TokenWish = Schemas['TokenWish'];
export type Preferences = Schemas['Preferences'];
export type PasswordChange = Schemas['PasswordChange'];

const key = () => ({ 'Idempotency-Key': crypto.randomUUID() });
const seen = (version: number) => ({ ...key(), 'If-Match': `"${version}"` });

export const useUsers = () =>
  useQuery({
    queryKey: ['users'],
    queryFn: () => whole(got(api.GET('/api/v1/users', { params: { query: { limit: 200 } } }))),
  });

export const useTokens = () =>
  useQuery({
    queryKey: ['tokens'],
    queryFn: () => whole(got(api.GET('/api/v1/tokens', { params: { query: { limit: 200 } } }))),
  });

export const useChannels = () =>
  useQuery({ queryKey: ['channels'], queryFn: () => got(api.GET('/api/v1/channels')) });

export const useDeliveries = () =>
  useQuery({
    queryKey: ['deliveries'],
    queryFn: () => got(api.GET('/api/v1/deliveries', { params: { query: { limit: 100 } } })),
    refetchInterval: 15_000,
  });

function useChange<V, T>(work: (value: V) => Promise<T>, ...keys: string[]) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: work,
    onSettled: () => {
      for (const one of keys) void client.invalidateQueries({ queryKey: [one] });
    },
  });
}

export const useInvite = () =>
  useChange(
    ({ body, signal }: { body: Invitation; signal: AbortSignal }) =>
      got(api.POST('/api/v1/users', { params: { header: key() }, body, signal })),
    'users',
  );

export const useInviteAgain = () =>
  useChange(
    (user: User) =>
      got(
        api.POST('/api/v1/users/{user}/invite', {
          params: { path: { user: user.id }, header: key() },
          body: {},
        }),
      ),
    'users',
  );

/** Change an account as it was seen; `Outdated` shows how it is where it changed meanwhile. */
export const useChangeUser = () =>
  useChange(
    async ({ user, body, signal }: { user: User; body: UserChange; signal: AbortSignal }) => {
      const path = { user: user.id };
      try {
        const params = { path, header: seen(user.version) };
        return await got(api.POST('/api/v1/users/{user}/change', { params, body, signal }));
      } catch (error) {
        if (!(error instanceof ApiError && error.problem.status === 412)) throw error;
        throw new Outdated(error.problem, await got(api.GET('/api/v1/users/{user}', { params: { path } })));
      }
    },
    'users',
  );

export const useMakeToken = () =>
  useChange(
    (body: TokenWish) => got(api.POST('/api/v1/tokens', { params: { header: key() }, body })),
    'tokens',
  );

export const useRevoke = () =>
  useChange(
    (token: Token) =>
      got(
        api.POST('/api/v1/tokens/{token}/revoke', {
          params: { path: { token: token.id }, header: key() },
          body: {},
        }),
      ),
    'tokens',
  );

export const useTestChannel = () =>
  useChange(
    (channel: string) =>
      got(
        api.POST('/api/v1/channels/{channel}/test', { params: { path: { channel } }, body: {} }),
      ),
    'deliveries',
  );

export const useChangeMe = () =>
  useChange(
    ({ version, body }: { version: number; body: Preferences }) =>
      got(api.POST('/api/v1/me/settings', { params: { header: seen(version) }, body })),
    'session',
  );

export const useChangePassword = () =>
  useChange(
    ({ version, body }: { version: number; body: PasswordChange }) =>
      got(api.POST('/api/v1/me/password', { params: { header: seen(version) }, body })),
    'session',
  );
