import createClient from 'openapi-fetch';
import type { components, paths } from './schema';

type Schemas = components['schemas'];
export type Board = Schemas['Board'];
export type BoardRow = Schemas['BoardRow'];
export type LifeLeft = Schemas['LifeLeft'];
export type Work = Schemas['Work'];
export type MachineDetail = Schemas['MachineDetail'];
export type MachineType = Schemas['MachineType'];
export type PartType = Schemas['PartType'];
export type Part = Schemas['PartView'];
export type Signals = Schemas['Signals'];
export type SignalView = Schemas['SignalView'];
export type Limits = Schemas['Limits'];
export type BucketSeries = Schemas['BucketSeries'];
export type Trend = Schemas['Trend'];
export type Advisory = Schemas['AdvisoryView'];
export type Why = Schemas['Why'];
export type Evidence = Schemas['EvidenceRow'];
export type Ticket = Schemas['TicketView'];
export type EventRow = Schemas['EventRow'];
export type Health = Schemas['Health'];
export type Problem = Schemas['Problem'];
export type State = Schemas['State'];
export type Verdict = Schemas['Verdict'];
export type TicketState = Schemas['TicketState'];
export type AdvisoryState = Schemas['AdvisoryState'];
export type Life = Schemas['Life'];
export type Words = Record<string, string>;

const WRITE_MS = 60_000;

/** Sends a request; a write is given up after a while, so that nobody waits for it without end. */
async function sent(request: Request): Promise<Response> {
  if (request.method === 'GET') return fetch(request);
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(WRITE_MS)]);
  try {
    return await fetch(request, { signal });
  } catch (error) {
    throw new Unanswered(String(error));
  }
}

export const api = createClient<paths>({ baseUrl: '', fetch: sent });

/** What the service answered instead of what was asked for. */
export class ApiError extends Error {
  constructor(
    readonly problem: Problem,
  ) {
    super(`${problem.title}: ${problem.detail}`);
  }
}

/** What was decided about is not as it was seen: this is how it is `now`, and whether that is `worse`. */
export class Outdated<T> extends ApiError {
  constructor(
    problem: Problem,
    readonly now: T,
    readonly worse = false,
  ) {
    super(problem);
  }
}

/** Nothing came back from a write: whether it was done is not known. */
export class Unanswered extends Error {}

/** Returns the data of an answer, or throws what went wrong as something a page can show. */
export async function got<T>(
  answer: Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<T> {
  const { data, error, response } = await answer;
  if (data !== undefined) return data;
  if (error && typeof error === 'object' && 'type' in error) throw new ApiError(error as Problem);
  throw new ApiError({
    type: `urn:forewarn:problem:http-${response.status}`,
    title: response.statusText || `HTTP ${response.status}`,
    status: response.status,
    detail: response.url,
    instance: '',
    errors: [],
  });
}

const MOST_PAGES = 10;

/** Every list of the API goes on at `next`; pages of people want it whole, within reason. */
export async function whole<T>(first: Promise<{ items: T[]; next: string | null }>): Promise<T[]> {
  let page = await first;
  const items = [...page.items];
  for (let n = 1; page.next !== null && n < MOST_PAGES; n += 1) {
    const answer = await fetch(page.next);
    if (!answer.ok) throw new Error(`${page.next}: HTTP ${answer.status}`);
    page = (await answer.json()) as { items: T[]; next: string | null };
    items.push(...page.items);
  }
  return items;
}
