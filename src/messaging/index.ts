/**
 * Messaging: conversations, who takes part, and the log of messages.
 *
 * Owns the order of things: every message, system line and change takes the next number under its conversation's lock.
 * Promises that what was acknowledged is stored, once, in order (D1 to D5 of the contract). Writes conversation columns
 * alone, never knows about agents' queues, notes or pages, and never tells anybody before the commit.
 */
export {
  CONVERSATION_STATUSES,
  Conversation,
  type ConversationContext,
  type ConversationStatus,
  PRIORITIES,
  type Priority,
} from './conversations/conversation.entity.ts';
export { ConversationStart } from './conversations/conversation-start.entity.ts';
export { Participant } from './conversations/participant.entity.ts';
export type {
  ConversationRead,
  ConversationStarted,
  ConversationStateChanged,
  MessagesAppended,
  MessagesChanged,
  MessagingEvent,
} from './events.ts';
export { appendInTransaction } from './messages/append-in-transaction.ts';
export { type AppendedListener, type Appender, createAppender } from './messages/append-messages.ts';
export { Message, type SenderType } from './messages/message.entity.ts';
export {
  type AppendOutcome,
  contentHash,
  type NewMessage,
  type Sender,
  type StoredMessage,
} from './messages/stored-message.ts';
