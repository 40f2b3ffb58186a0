import type { Person } from '../../identity/index.ts';
import type { Scope } from '../../platform/database/index.ts';
import { Forbidden } from '../../platform/errors/index.ts';
import { ConversationRating } from './conversation-rating.entity.ts';
import type { Rating } from './rate-conversation.ts';

/** What somebody said of one of their conversations. */
export interface GivenRating extends Rating {
  readonly conversationId: string;
  /** When it was said last. */
  readonly ratedAt: Date;
}

/** More than these are history that nobody reads on a profile. */
const MAX_SHOWN = 20;

/**
 * The ratings that a user gave, newest first, twenty at most.
 * @throws Forbidden without VIEW_SUPPORT_CHAT_LIST.
 */
export async function listRatings(scope: Scope<Person>, userId: string): Promise<GivenRating[]> {
  if (scope.actor.side !== 'admin' || !scope.actor.can('VIEW_SUPPORT_CHAT_LIST')) throw new Forbidden();
  const found = await scope.em.find(
    ConversationRating,
    { userId },
    { orderBy: { createdAt: 'desc', conversationId: 'desc' }, limit: MAX_SHOWN },
  );
  return found.map(({ conversationId, score, comment, updatedAt }) => ({
    conversationId,
    score,
    comment: comment ?? null,
    ratedAt: updatedAt,
  }));
}
