/** Who is signed in, and what that person may see. What is not shown is refused by the service too. */
import { useQuery } from '@tanstack/react-query';
import { api, got } from './client';
import type { components } from './schema';

export type Session = components['schemas']['SessionView'];
export type Role = NonNullable<Session['role']>;

export const useSession = () =>
  useQuery({
    queryKey: ['session'],
    queryFn: () => got(api.GET('/api/v1/session')),
    staleTime: 60_000,
  });

export function useRole(): Role | null {
  const { data } = useSession();
  return data?.role ?? null;
}

/** A customer sees machines and tickets; staff everything; planners decide. */
export const isStaff = (role: Role | null): boolean => role !== null && role !== 'customer';
export const decides = (role: Role | null): boolean => role === 'administrator' || role === 'planner';
export const works = (role: Role | null): boolean => isStaff(role);

/** The page for signing in works without scripts; it leads back to where somebody was. */
export function signIn(): void {
  location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
}

export async function signOut(): Promise<void> {
  await got(api.POST('/api/v1/session/end', { body: {} }));
  location.assign('/sign-in');
}
