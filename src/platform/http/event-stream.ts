import type { ServerResponse } from 'node:http';
import type { Reply } from './route.ts';

/** One message of a stream. Without `event` htmx swaps `data` as HTML; with it the page gets a DOM event. */
export interface StreamMessage {
  readonly data: string;
  readonly event?: string;
  /** Sent back as Last-Event-ID when the stream is resumed. */
  readonly id?: string;
}

/** An open stream of server-sent events. */
export interface EventStream {
  /** False when the other side reads too slowly (more than 1 MB waits): close it then, it resumes. */
  send(message: StreamMessage): boolean;
  close(): void;
  /** Called once, whoever closed it. */
  onClose(listener: () => void): void;
  readonly isOpen: boolean;
}

const MAX_WAITING_BYTES = 1_048_576;

/**
 * A reply that stays open (text/event-stream). `opened` gets the stream as soon as the head is out; a comment every
 * `beatSeconds` (20) keeps proxies from closing it, and none of them may buffer.
 */
export function eventStream(opened: (stream: EventStream) => void, { beatSeconds = 20 } = {}): Reply {
  return {
    status: 200,
    type: 'text/event-stream; charset=utf-8',
    headers: { 'Cache-Control': 'no-store, no-transform', 'X-Accel-Buffering': 'no' },
    body: null,
    takeOver: (response) => openStream(response, opened, beatSeconds),
  };
}

function openStream(response: ServerResponse, opened: (stream: EventStream) => void, beatSeconds: number): void {
  response.socket?.setNoDelay(true);
  response.socket?.setTimeout(0);
  response.write(': open\n\n');
  const beat = setInterval(() => response.write(': beat\n\n'), beatSeconds * 1_000);
  const listeners: (() => void)[] = [];
  let isOpen = true;
  response.on('error', () => {});
  response.once('close', () => {
    isOpen = false;
    clearInterval(beat);
    for (const listener of listeners) listener();
  });
  opened({
    send(message) {
      if (!isOpen) return false;
      response.write(framed(message));
      return response.writableLength <= MAX_WAITING_BYTES;
    },
    close() {
      if (isOpen) response.end();
    },
    onClose(listener) {
      if (isOpen) listeners.push(listener);
      else listener();
    },
    get isOpen() {
      return isOpen;
    },
  });
}

/** WHATWG event stream format: a line end inside a field would start another field. */
function framed({ data, event, id }: StreamMessage): string {
  const head = `${id === undefined ? '' : `id: ${oneLine(id)}\n`}${event === undefined ? '' : `event: ${oneLine(event)}\n`}`;
  return `${head}data: ${data.replace(/\r\n|\r|\n/g, '\ndata: ')}\n\n`;
}

function oneLine(text: string): string {
  return text.replace(/[\r\n\0]/g, '');
}
