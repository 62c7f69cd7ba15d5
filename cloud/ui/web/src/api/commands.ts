/** Questions to a machine's device, and what came of them. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, got } from './client';
import type { components } from './schema';

export type Command = components['schemas']['CommandRow'];
export type Op = Command['op'];
export const OPS: Op[] = ['snapshot', 'log', 'capture', 'selftest', 'network'];
const OPEN: Command['state'][] = ['queued', 'accepted'];
const LOOK_MS = 1_000;

export const useCommands = (machine: string) =>
  useQuery({
    queryKey: ['commands', machine],
    queryFn: () =>
      got(
        api.GET('/api/v1/machines/{machine}/commands', {
          params: { path: { machine }, query: { limit: 10 } },
        }),
      ),
    refetchInterval: ({ state }) =>
      state.data?.items.some((one) => OPEN.includes(one.state)) ? LOOK_MS : false,
  });

export function useAsk(machine: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ op, args, actor }: { op: Op; args: Record<string, unknown>; actor: string }) =>
      got(
        api.POST('/api/v1/machines/{machine}/commands', {
          params: { path: { machine }, header: { 'Idempotency-Key': crypto.randomUUID() } },
          body: { op, args: args as Record<string, never>, actor },
        }),
      ),
    onSettled: () => {
      void client.invalidateQueries({ queryKey: ['commands', machine] }); // waits while offline
    },
  });
}
