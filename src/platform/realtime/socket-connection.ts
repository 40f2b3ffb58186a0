import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WebSocket } from 'ws';
import type { Hub } from './hub.ts';
import type { Connection, Frame, Viewer } from './room.ts';
import type { Visitor } from './visitor.ts';

/** A peer that never reads costs no more than this. */
const MAX_WAITING_BYTES = 1_048_576;
/** Who catches up is given more when less than this waits. */
const CALM_BYTES = 65_536;
const DRAIN_TIMEOUT_MS = 30_000;
/** A probe is answered in this time, or nobody is there. */
const PROBE_MS = 1_500;
/** From a close frame until nobody listens any more. */
export const IMPATIENT_CLOSE_MS = 2_000;

/** A connection that can be spoken to as well. */
export interface SocketConnection extends Connection {
  /** Stops and starts reading from the peer; counts, so each `pause` needs its `resume`. */
  pause(): void;
  resume(): void;
}

/** What a connection is made from; `socket` is the one under `ws`. */
export interface OpenSocketOptions {
  readonly ws: WebSocket;
  readonly socket: Duplex;
  readonly id: string;
  readonly visitor: Visitor;
  readonly format: Viewer['format'];
  readonly hub: Hub;
}

/**
 * One open WebSocket as the hub sees it. Text frames are written to the socket under it directly: without compression
 * ws never holds a frame back, so they cannot overtake its own, and one prepared buffer serves every socket of a room.
 *
 * `isOpen` is a plain member: an object with an accessor of its own has a shape of its own in V8, and with a thousand
 * shapes each look at a connection, which every message takes, is a search.
 */
export function openSocket({ ws, socket, id, visitor, format, hub }: OpenSocketOptions): SocketConnection {
  let pauses = 0;
  /** Whoever wants to know while it is asked hears the same answer. */
  let probing: Promise<void> | null = null;
  const connection = {
    id,
    actor: visitor.actor,
    format,
    language: visitor.language,
    expiresAtMs: visitor.expiresAtMs,
    isOpen: true,
    send(frame: Frame): void {
      if (!connection.isOpen) return;
      frame.bytes ??= textFrame(frame.text);
      // a buffer has no use for the encoding
      socket.write(frame.bytes, 'latin1');
      if (socket.writableLength > MAX_WAITING_BYTES) connection.close(1013);
    },
    close(code: number): void {
      if (!connection.isOpen) return;
      connection.isOpen = false;
      hub.detach(connection);
      ws.close(code);
      // who reads too slowly gets what is under way first; everybody else has nothing left to say
      if (code !== 1013) endAfter(ws, IMPATIENT_CLOSE_MS);
    },
    async drained(): Promise<void> {
      for (let waited = 0; socket.writableLength > CALM_BYTES; waited += 20) {
        if (!connection.isOpen) return;
        if (waited > DRAIN_TIMEOUT_MS) return connection.close(1013);
        await sleep(20);
      }
    },
    renew: () => visitor.renew(),
    probe(): Promise<void> {
      probing ??= probe().finally(() => {
        probing = null;
      });
      return probing;
    },
    pause(): void {
      pauses += 1;
      if (pauses === 1) ws.pause();
    },
    resume(): void {
      pauses -= 1;
      if (pauses === 0) ws.resume();
    },
  };
  ws.once('close', () => {
    connection.isOpen = false;
  });

  async function probe(): Promise<void> {
    const answered = await new Promise<boolean>((resolve) => {
      const answer = () => {
        clearTimeout(timer);
        resolve(true);
      };
      const timer = setTimeout(() => {
        ws.off('pong', answer);
        resolve(false);
      }, PROBE_MS).unref();
      ws.once('pong', answer);
      ws.ping();
    });
    if (answered) return;
    connection.close(1013);
    ws.terminate();
  }

  return connection;
}

/**
 * Ends what has not ended by itself by then. A timer that outlives its socket keeps it, and all that was asked with it,
 * long enough to grow old in the heap: five hundred a second come back and are turned away.
 */
export function endAfter(ws: WebSocket, ms: number): void {
  const timer = setTimeout(() => ws.terminate(), ms).unref();
  ws.once('close', () => clearTimeout(timer));
}

/**
 * A whole text message of a server, header and payload together (RFC 6455, 5.2: FIN, opcode 1, no mask). Mostly it is
 * ASCII: then as a string with a byte a character, which the socket takes without a buffer in between.
 */
function textFrame(text: string): string | Buffer {
  const length = Buffer.byteLength(text);
  if (length >= 65_536) {
    const head = Buffer.alloc(10, Uint8Array.of(0x81, 127));
    head.writeBigUInt64BE(BigInt(length), 2);
    return Buffer.concat([head, Buffer.from(text)]);
  }
  const head =
    length < 126 ? String.fromCharCode(0x81, length) : String.fromCharCode(0x81, 126, length >> 8, length & 0xff);
  if (length === text.length) return head + text;
  const frame = Buffer.allocUnsafe(head.length + length);
  frame.write(head, 'latin1');
  frame.write(text, head.length);
  return frame;
}
