import type { Person } from '../../identity/index.ts';
import { accessConversation, checkedText } from '../../messaging/index.ts';
import { type Scope, transact } from '../../platform/database/index.ts';
import { Conflict, Forbidden, Invalid } from '../../platform/errors/index.ts';
import { recordAudit } from '../../tenancy/index.ts';
import { ConversationRating } from './conversation-rating.entity.ts';

/** Most characters of a comment. */
export const MAX_RATING_COMMENT = 1_000;

/** What a user thinks of how it went. */
export interface Rating {
  /** 1 (bad) to 5 (very good). */
  readonly score: number;
  /** As typed; null for none. */
  readonly comment: string | null;
}

/**
 * The one who opened a conversation says how it went, once it is closed; a second rating takes the place of the first.
 * Works while support is switched off, too.
 * @throws NotFound when the conversation is not there or not theirs; Forbidden for staff.
 * @throws Conflict `conversation_open`; Invalid for a comment that is too long or cannot be stored.
 */
export async function rateConversation(
  scope: Scope<Person>,
  conversationId: string,
  { score, comment: typed }: Rating,
): Promise<void> {
  const comment = typed?.trim() ? checkedText(typed, 'comment') : null;
  if (comment && comment.length > MAX_RATING_COMMENT) throw new Invalid({ comment: 'too_long' });
  await transact(scope, async (inside) => {
    const { em, actor, now } = inside;
    const conversation = await accessConversation(inside, conversationId, { lock: true });
    if (!conversation.isOpenedBy(actor.id)) throw new Forbidden();
    if (conversation.isOpen()) {
      throw new Conflict('conversation_open', 'This conversation is open; it can be rated once it is closed.');
    }
    const earlier = await em.findOne(ConversationRating, { conversationId });
    const said = { score, comment, adminId: conversation.assignedAdminId ?? null, updatedAt: now };
    if (earlier) em.assign(earlier, said);
    else {
      const { tenantId } = conversation;
      em.persist(
        em.create(ConversationRating, { conversationId, tenantId, userId: actor.id, createdAt: now, ...said }),
      );
    }
    recordAudit(inside, {
      action: 'SUPPORT_CONVERSATION_RATED',
      entityType: 'support_conversation',
      entityId: conversationId,
      metadata: { conversationId, score },
    });
    await em.flush();
  });
}

/** What was said of a conversation that the caller was let into (`accessConversation`); null for nothing. */
export async function readRating(scope: Scope, conversationId: string): Promise<Rating | null> {
  const found = await scope.em.findOne(ConversationRating, { conversationId });
  return found && { score: found.score, comment: found.comment ?? null };
}
