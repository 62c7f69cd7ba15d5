/**
 * One stream of what changes for all tabs of a browser. The tab that holds the lock reads it and
 * hands every event to the others; when that tab closes, the next one takes over.
 */
import { SseParser, type SseEvent } from './protocol';

export type Liveness =
  | { state: 'connecting' }
  | { state: 'live' }
  | { state: 'cut'; since: number };

type Word =
  | { kind: 'event'; event: SseEvent }
  | { kind: 'liveness'; liveness: Liveness }
  | { kind: 'watch'; tab: string; machines: string[] }
  | { kind: 'who' };

const ADDRESS = '/api/v1/events';
const LOCK = 'forewarn-live';
const SILENCE_MS = 25_000; // the service says something every 15 s
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 8_000;

export class LiveStream {
  liveness: Liveness = { state: 'connecting' };
  private readonly tab = crypto.randomUUID();
  private readonly channel = new BroadcastChannel('forewarn-live');
  private readonly watched = new Map<string, string[]>();
  private readonly listeners = new Set<(event: SseEvent) => void>();
  private readonly states = new Set<() => void>();
  private leader = false;
  /** Where the stream stood when the service made this page: it goes on from there. */
  private lastId = document.querySelector<HTMLMetaElement>('meta[name="live"]')?.content || null;
  private led = false; // another tab reads the stream, and what it heard before is not known here
  private attempt: AbortController | null = null;
  private retryMs = FIRST_RETRY_MS;
  private restart = false;

  constructor() {
    this.channel.onmessage = ({ data }: MessageEvent<Word>) => this.told(data);
    if (navigator.locks) {
      void navigator.locks.request(LOCK, () => this.lead());
    } else {
      void this.lead(); // an address without TLS: every tab has a stream of its own
    }
    this.channel.postMessage({ kind: 'who' } satisfies Word);
    addEventListener('online', () => this.again());
  }

  onEvent(listener: (event: SseEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  onLiveness = (listener: () => void): (() => void) => {
    this.states.add(listener);
    return () => this.states.delete(listener);
  };

  /** Asks for the newest values of these machines. */
  watch(machines: string[]): void {
    this.channel.postMessage({ kind: 'watch', tab: this.tab, machines } satisfies Word);
    this.take(this.tab, machines);
  }

  private take(tab: string, machines: string[]): void {
    const before = this.wanted().join();
    if (machines.length) this.watched.set(tab, machines);
    else this.watched.delete(tab);
    if (this.leader && this.wanted().join() !== before) {
      this.restart = true;
      this.attempt?.abort();
    }
  }

  private wanted(): string[] {
    return [...new Set([...this.watched.values()].flat())].sort().slice(0, 20);
  }

  private told(word: Word): void {
    if (word.kind === 'event') this.heard(word.event);
    else if (word.kind === 'liveness') this.follow(word.liveness);
    else if (word.kind === 'watch') this.take(word.tab, word.machines);
    else if (this.leader) {
      this.channel.postMessage({ kind: 'liveness', liveness: this.liveness } satisfies Word);
    }
  }

  private follow(liveness: Liveness): void {
    if (!this.led && !this.leader) {
      this.led = true;
      this.heard({ id: null, event: 'reset', data: '' });
    }
    this.setLiveness(liveness);
  }

  private heard(event: SseEvent): void {
    if (event.id) this.lastId = event.id;
    for (const listener of this.listeners) listener(event);
  }

  private setLiveness(next: Liveness): void {
    const now = this.liveness;
    if (now.state === next.state) return;
    this.liveness = next;
    for (const listener of this.states) listener();
  }

  private say(liveness: Liveness): void {
    if (this.liveness.state !== liveness.state) {
      this.channel.postMessage({ kind: 'liveness', liveness } satisfies Word);
    }
    this.setLiveness(liveness);
  }

  private again(): void {
    this.retryMs = FIRST_RETRY_MS;
    this.attempt?.abort();
  }

  private async lead(): Promise<never> {
    this.leader = true;
    for (;;) {
      this.restart = false;
      try {
        await this.read();
      } catch {
        // a cut is what this loop is for
      }
      if (!this.restart) {
        this.say({ state: 'cut', since: Date.now() });
        await new Promise((done) => setTimeout(done, this.retryMs * (0.75 + Math.random() / 2)));
        this.retryMs = Math.min(this.retryMs * 2, LAST_RETRY_MS);
      }
    }
  }

  private async read(): Promise<void> {
    const attempt = new AbortController();
    this.attempt = attempt;
    let silence = setTimeout(() => attempt.abort(), SILENCE_MS);
    try {
      const query = this.wanted().map((one) => `machine=${encodeURIComponent(one)}`).join('&');
      const answer = await fetch(query ? `${ADDRESS}?${query}` : ADDRESS, {
        headers: this.lastId ? { 'Last-Event-ID': this.lastId } : {},
        signal: attempt.signal,
        cache: 'no-store',
      });
      if (!answer.ok || !answer.body) throw new Error(`HTTP ${answer.status}`);
      const parser = new SseParser();
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        clearTimeout(silence);
        silence = setTimeout(() => attempt.abort(), SILENCE_MS);
        this.retryMs = FIRST_RETRY_MS;
        this.say({ state: 'live' });
        for (const event of parser.push(value)) {
          this.channel.postMessage({ kind: 'event', event } satisfies Word);
          this.heard(event);
        }
      }
    } finally {
      clearTimeout(silence);
    }
  }
}
