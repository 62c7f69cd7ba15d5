/** Server-sent events read from a fetch, because EventSource cannot say where to go on. */

export interface SseEvent {
  id: string | null;
  event: string;
  data: string;
}

/** Splits a stream of text into events (HTML standard 9.2.6; the service sends LF only). */
export class SseParser {
  private rest = '';

  push(text: string): SseEvent[] {
    this.rest += text;
    const parts = this.rest.split('\n\n');
    this.rest = parts.pop() ?? '';
    return parts.map(parsed).filter((one): one is SseEvent => one !== null);
  }
}

function parsed(block: string): SseEvent | null {
  const found: SseEvent = { id: null, event: 'message', data: '' };
  let data: string[] | null = null;
  for (const line of block.split('\n')) {
    const at = line.indexOf(':');
    if (at <= 0) continue;
    const value = line.slice(at + 1).replace(/^ /, '');
    const name = line.slice(0, at);
    if (name === 'data') (data ??= []).push(value);
    else if (name === 'id') found.id = value;
    else if (name === 'event') found.event = value;
  }
  if (data === null) return null;
  found.data = data.join('\n');
  return found;
}
