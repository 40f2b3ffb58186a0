import type { Scope } from '../../platform/database/index.ts';
import type { Conversation } from '../conversations/conversation.entity.ts';
import { type Audience, type MessageView, messageView } from './message.view.ts';
import { readLog } from './message-log.ts';

/** Messages read at a time. */
const PAGE_SIZE = 100;

/** A log as one file or page holds it. */
export interface WholeLog {
  readonly messages: readonly MessageView[];
  /** False when the oldest lines are left out. */
  readonly isWhole: boolean;
}

/**
 * The log of a conversation that the caller was let into (`accessConversation`), the newest `most` lines of a longer one.
 * Read page by page; who writes meanwhile does not make it endless.
 */
export async function readWholeLog(
  scope: Scope,
  conversation: Conversation,
  { audience, most }: { readonly audience: Audience; readonly most: number },
): Promise<WholeLog> {
  const messages: MessageView[] = [];
  let place = Math.max(0, conversation.lastSeq - most);
  const isWhole = place === 0;
  for (;;) {
    const page = await readLog(scope, conversation.id, { after: place }, PAGE_SIZE);
    for (const message of page.items) messages.push(messageView(message, audience, conversation));
    place = page.items.at(-1)?.seq ?? place;
    if (!page.hasMore || messages.length >= most) return { messages, isWhole };
  }
}
