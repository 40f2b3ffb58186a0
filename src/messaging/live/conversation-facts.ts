import type { Database } from '../../platform/database/index.ts';
import { systemActor } from '../../tenancy/index.ts';
import { Conversation } from '../conversations/conversation.entity.ts';

/** What never changes about a conversation: enough to say whose it is. */
export type ConversationFacts = Pick<Conversation, 'id' | 'tenantId' | 'kind' | 'openedBy'>;

/** Facts of conversations, from memory. */
export interface FactsMemory {
  /** From memory only; undefined when they are not there. */
  known(tenantId: string, id: string): ConversationFacts | undefined;
  remember(conversation: ConversationFacts): void;
  /** Null: there is no such conversation in that tenant. */
  find(tenantId: string, id: string): Promise<ConversationFacts | null>;
}

const MAX_KNOWN = 20_000;

/** Keeps the facts of conversations that were met lately. */
export function createFactsMemory(database: Database): FactsMemory {
  const facts = new Map<string, ConversationFacts>();

  function known(tenantId: string, id: string): ConversationFacts | undefined {
    const found = facts.get(id);
    // an id of another tenant is an id that does not exist
    return found?.tenantId === tenantId ? found : undefined;
  }

  function remember({ id, tenantId, kind, openedBy }: ConversationFacts): void {
    if (facts.size >= MAX_KNOWN) {
      for (const oldest of facts.keys()) {
        facts.delete(oldest);
        break;
      }
    }
    facts.set(id, { id, tenantId, kind, openedBy });
  }

  return {
    known,
    remember,
    async find(tenantId, id) {
      const found = known(tenantId, id);
      if (found) return found;
      const loaded = await database.withScope({ id: tenantId, slug: '' }, systemActor(tenantId), (scope) =>
        scope.em.findOne(Conversation, { id }),
      );
      if (loaded) remember(loaded);
      return loaded;
    },
  };
}
