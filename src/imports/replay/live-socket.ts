import { setTimeout as sleep } from 'node:timers/promises';
import WebSocket from 'ws';

/** A frame from the server in the dialect `support.v1.json`; unknown ones are passed on and ignored. */
export interface LiveFrame {
  readonly type: string;
  readonly room?: string;
  readonly [field: string]: unknown;
}

/** A socket that keeps its rooms: after a lost connection it comes back and resumes each room where it was. */
export interface LiveSocket {
  /**
   * Joins a room and resolves when the server has said `subscribed`.
   * @param after the version to begin after (0: everything); left out for rooms without a log
   * @throws Error with the server's code when it refuses
   */
  subscribe(room: string, after?: number): Promise<LiveFrame>;
  unsubscribe(room: string): void;
  /** Sends a frame, or keeps it until the connection is back. */
  send(frame: Record<string, unknown>): void;
  /** How often the connection was lost and made again, and how often a resume answered `reset`. */
  readonly counts: { reconnects: number; resets: number };
  close(): Promise<void>;
}

interface Room {
  /** `<epoch>:<version>` of the last change that came in this room; undefined for a room without a log. */
  cursor: string | undefined;
  epoch: string | undefined;
  version: number;
  subscribed: { resolve(frame: LiveFrame): void; reject(error: Error): void } | undefined;
}

const SUBPROTOCOL = 'support.v1.json';
const CONNECT_PATIENCE_MS = 60_000;

/** Close codes after which coming back makes no sense. */
const FINAL_CODES: readonly number[] = [4401, 4403];

/**
 * Opens a JSON socket with a bearer token and resolves when it is connected.
 * @param onFrame told every frame in the order of arrival
 * @throws Error when the server refuses it or cannot be reached for a minute
 */
export async function openLiveSocket(
  base: URL,
  token: string,
  onFrame: (frame: LiveFrame) => void,
): Promise<LiveSocket> {
  const rooms = new Map<string, Room>();
  const waiting: string[] = [];
  const counts = { reconnects: 0, resets: 0 };
  let closing = false;
  let socket = await connect();

  function url(): URL {
    const address = new URL('/ws', base);
    address.protocol = base.protocol === 'https:' ? 'wss:' : 'ws:';
    return address;
  }

  /** Connects, again and again with growing pauses. */
  async function connect(): Promise<WebSocket> {
    const deadline = performance.now() + CONNECT_PATIENCE_MS;
    for (let attempt = 0; ; attempt += 1) {
      const opened = await tryOnce().catch((error: Error) => error);
      if (!(opened instanceof Error)) return opened;
      if (performance.now() > deadline || closing) throw opened;
      await sleep(Math.min(3_000, 100 * 2 ** attempt) * (0.5 + Math.random()));
    }
  }

  function tryOnce(): Promise<WebSocket> {
    return new Promise((resolve, reject) => {
      const opened = new WebSocket(url(), [SUBPROTOCOL], {
        headers: { authorization: `Bearer ${token}` },
        perMessageDeflate: false,
        handshakeTimeout: 10_000,
      });
      opened.on('message', (data) => receive(String(data)));
      opened.once('open', () => {
        opened.on('close', (code) => lost(code));
        resolve(opened);
      });
      opened.on('error', reject);
    });
  }

  function receive(text: string): void {
    // What the server sends is its contract; a frame without a type is nobody's.
    const frame = JSON.parse(text) as LiveFrame;
    const room = frame.room === undefined ? undefined : rooms.get(frame.room);
    if (frame.type === 'subscribed' && room) joined(room, frame);
    if ((frame.type === 'message:new' || frame.type === 'message:changed') && room) moveCursor(room, frame);
    if (frame.type === 'error' && typeof frame['ref'] === 'string') refused(frame['ref'], frame);
    onFrame(frame);
  }

  function joined(room: Room, frame: LiveFrame): void {
    room.epoch = frame['epoch'] === undefined ? undefined : String(frame['epoch']);
    if (room.subscribed === undefined && frame['status'] === 'reset' && room.cursor !== undefined) counts.resets += 1;
    room.subscribed?.resolve(frame);
    room.subscribed = undefined;
  }

  function moveCursor(room: Room, frame: LiveFrame): void {
    const { version } = frame['message'] as { version: number }; // Every message carries its version (contract.md).
    if (room.cursor === undefined || version <= room.version) return;
    room.version = version;
    room.cursor = room.epoch === undefined ? String(version) : `${room.epoch}:${version}`;
  }

  function refused(ref: string, frame: LiveFrame): void {
    const room = rooms.get(ref);
    if (!room?.subscribed) return;
    // A room that asks for patience is asked again; any other refusal is final.
    if (frame['code'] === 'too_many') {
      setTimeout(() => join(ref, room), 1_000).unref();
      return;
    }
    rooms.delete(ref);
    room.subscribed.reject(new Error(`subscribe ${ref}: ${String(frame['code'])} ${String(frame['message'])}`));
  }

  function lost(code: number): void {
    if (closing) return;
    if (FINAL_CODES.includes(code)) {
      fail(new Error(`the server closed the socket with ${code}`));
      return;
    }
    counts.reconnects += 1;
    connect().then(resume, fail);
  }

  function resume(opened: WebSocket): void {
    socket = opened;
    for (const [name, room] of rooms) join(name, room);
    for (const text of waiting.splice(0)) socket.send(text);
  }

  function fail(error: Error): void {
    for (const room of rooms.values()) room.subscribed?.reject(error);
    onFrame({ type: 'error', code: 'connection_lost', message: error.message });
  }

  function join(name: string, room: Room): void {
    if (socket.readyState !== WebSocket.OPEN) return; // It joins when the connection is back.
    socket.send(JSON.stringify({ type: 'subscribe', room: name, after: room.cursor, ref: name }));
  }

  return {
    counts,
    subscribe(name, after) {
      return new Promise((resolve, reject) => {
        const cursor = after === undefined ? undefined : String(after);
        const room: Room = { cursor, epoch: undefined, version: after ?? 0, subscribed: { resolve, reject } };
        rooms.set(name, room);
        join(name, room);
      });
    },
    unsubscribe(name) {
      rooms.delete(name);
      if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type: 'unsubscribe', room: name }));
    },
    send(frame) {
      const text = JSON.stringify(frame);
      if (socket.readyState === WebSocket.OPEN) socket.send(text);
      else waiting.push(text);
    },
    close() {
      closing = true;
      return new Promise((resolve) => {
        if (socket.readyState === WebSocket.CLOSED) return resolve();
        socket.once('close', () => resolve());
        socket.close(1000);
        setTimeout(() => socket.terminate(), 2_000).unref();
      });
    },
  };
}
