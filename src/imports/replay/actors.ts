import { type LiveFrame, type LiveSocket, openLiveSocket } from './live-socket.ts';
import type { RestClient } from './rest-client.ts';

/** Somebody as the host app knows them. */
export interface HostPerson {
  readonly userType: string;
  readonly sub: string;
  readonly name: string;
}

/** Makes a host token for somebody; it works once. */
export type Vouch = (person: HostPerson) => Promise<string>;

/** Somebody signed in, with a JSON socket open. */
export interface LiveActor {
  readonly id: string;
  readonly token: string;
  readonly socket: LiveSocket;
  /** Adds a listener for the socket's frames. */
  listen(listener: (frame: LiveFrame) => void): () => void;
}

/** The server's address and how to come in. */
export interface Entrance {
  readonly base: URL;
  readonly rest: RestClient;
  readonly vouch: Vouch;
}

/**
 * Signs somebody in by host token and opens their socket.
 * @throws Error when the server refuses either
 */
export async function enter(entrance: Entrance, person: HostPerson): Promise<LiveActor> {
  const { base, rest, vouch } = entrance;
  // A token works once, so each try brings a new one.
  const answer = await rest.ask('POST', '/api/support/session', { body: async () => ({ token: await vouch(person) }) });
  if (answer.status !== 201)
    throw new Error(`${person.sub} cannot sign in: ${answer.status} ${errorCode(answer.body)}`);
  // 201 has the contract's shape.
  const session = answer.body as { accessToken: string; user: { id: string } };
  const listeners = new Set<(frame: LiveFrame) => void>();
  const socket = await openLiveSocket(base, session.accessToken, (frame) => {
    for (const listener of listeners) listener(frame);
  });
  return {
    id: session.user.id,
    token: session.accessToken,
    socket,
    listen(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

/** The stable code of an error answer, or a dash when it has none. */
export function errorCode(body: unknown): string {
  const error = (body as { error?: { code?: string } } | null)?.error; // Unknown until looked at; anything else has no code.
  return error?.code ?? '-';
}
