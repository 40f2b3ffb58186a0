import type { Person } from '../identity/index.ts';
import { markRead } from '../messaging/index.ts';
import type { SocketDeps } from './socket-doors.ts';

/** What both dialects take from their sockets beside messages: typing, and read marks. */
export interface Upward {
  typing(person: Person, conversationId: string, isTyping: boolean): Promise<void>;
  /** Moves the mark; those that come while one of the same conversation is moved become one. Gives where it stands. */
  read(person: Person, conversationId: string, seq: number): Promise<number>;
}

interface Moving {
  readonly done: Promise<unknown>;
  wanted: number;
  again: Promise<number> | null;
}

/** For one socket. */
export function createUpward({ live, messaging }: Pick<SocketDeps, 'live' | 'messaging'>): Upward {
  const moving = new Map<string, Moving>();

  function start(person: Person, conversationId: string, seq: number): Promise<number> {
    const tenant = { id: person.tenantId, slug: person.tenantSlug };
    const work = messaging.database
      .withScope(tenant, person, (scope) => markRead(scope, conversationId, seq))
      .then((mark) => mark.seq);
    const state: Moving = { done: work.catch(() => {}), wanted: seq, again: null };
    moving.set(conversationId, state);
    void state.done.then(() => {
      if (!state.again) moving.delete(conversationId);
    });
    return work;
  }

  return {
    async typing(person, conversationId, isTyping) {
      await live.typing(person, conversationId, isTyping);
    },
    read(person, conversationId, seq) {
      const state = moving.get(conversationId);
      if (!state) return start(person, conversationId, seq);
      state.wanted = Math.max(state.wanted, seq);
      state.again ??= state.done.then(() => start(person, conversationId, state.wanted));
      return state.again;
    },
  };
}
