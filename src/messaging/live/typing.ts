import type { ConversationFacts } from './conversation-facts.ts';

/** Somebody who writes. */
export interface Writer {
  readonly id: string;
  readonly side: 'user' | 'admin';
  readonly name: string;
}

/** Who writes where, or has a file that is being checked; on this node. Told at most once a second each, taken back when no more is heard. */
export interface Typing {
  /** The writer says so. `told` is called at once or when the second is over, with what holds then. */
  set(conversation: Pick<ConversationFacts, 'id' | 'tenantId'>, writer: Writer, isTyping: boolean): void;
  close(): void;
}

const GAP_MS = 1_000;
const EXPIRES_AFTER_MS = 6_000;

interface State {
  wanted: boolean;
  told: boolean;
  gap: NodeJS.Timeout | null;
  expiry: NodeJS.Timeout | null;
}

/** See `Typing`; `tell` sends what is to be known. */
export function createTyping(
  tell: (conversation: Pick<ConversationFacts, 'id' | 'tenantId'>, writer: Writer, isTyping: boolean) => void,
): Typing {
  const states = new Map<string, State>();

  function set(conversation: Pick<ConversationFacts, 'id' | 'tenantId'>, writer: Writer, isTyping: boolean): void {
    const key = `${conversation.id} ${writer.id}`;
    const state = states.get(key) ?? { wanted: false, told: false, gap: null, expiry: null };
    states.set(key, state);
    state.wanted = isTyping;
    clearTimeout(state.expiry ?? undefined);
    state.expiry = isTyping ? setTimeout(() => set(conversation, writer, false), EXPIRES_AFTER_MS).unref() : null;
    if (!state.gap) say();

    function say(): void {
      const now = states.get(key);
      if (!now) return;
      now.gap = null;
      // "still writing" is said again, so that those who came since know it; "stopped" only once
      if (!now.wanted && !now.told) {
        states.delete(key);
        return;
      }
      now.told = now.wanted;
      tell(conversation, writer, now.wanted);
      now.gap = setTimeout(() => {
        now.gap = null;
        if (now.told !== now.wanted) say();
        else if (!now.wanted) states.delete(key);
      }, GAP_MS).unref();
    }
  }

  return {
    set,
    close() {
      for (const { gap, expiry } of states.values()) {
        clearTimeout(gap ?? undefined);
        clearTimeout(expiry ?? undefined);
      }
      states.clear();
    },
  };
}
