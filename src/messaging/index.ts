/**
 * Messaging: conversations, who takes part, and the log of messages.
 *
 * Owns the order of things: every message, system line and change takes the next number under its conversation's lock.
 * Promises that what was acknowledged is stored, once, in order (D1 to D5 of the contract). Writes conversation columns
 * alone, never knows about agents' queues, notes or pages, and never tells anybody before the commit.
 */

export { accessConversation, findOpenConversation, mayRead } from './conversations/access-conversation.ts';
export { type Assignee, assignTo, close, reopen } from './conversations/change-state.ts';
export {
  CONVERSATION_STATUSES,
  Conversation,
  type ConversationContext,
  type ConversationStatus,
  PRIORITIES,
  type Priority,
} from './conversations/conversation.entity.ts';
export {
  type ConversationView,
  conversationFor,
  conversationView,
  unreadCounts,
} from './conversations/conversation.view.ts';
export { type ConversationKind, conversationKind } from './conversations/conversation-kinds.ts';
export { ConversationStart } from './conversations/conversation-start.entity.ts';
export {
  type ConversationFilters,
  type ConversationList,
  type ListedConversation,
  type ListedPerson,
  type ListPage,
  listConversations,
  listMyConversations,
} from './conversations/list-conversations.ts';
export { markRead, type ReadMark } from './conversations/mark-read.ts';
export { Participant } from './conversations/participant.entity.ts';
export {
  type StartConversation,
  type StartedConversation,
  startConversation,
} from './conversations/start-conversation.ts';
export type {
  ConversationRead,
  ConversationStarted,
  ConversationStateChanged,
  MessagesAppended,
  MessagesChanged,
  MessagingEvent,
} from './events.ts';
export { type Live, type LiveDeps, openLive } from './live/live.ts';
export { type ParticipantView, participantView } from './live/participants.ts';
export { appendInTransaction } from './messages/append-in-transaction.ts';
export { type AppendedListener, type Appender, createAppender } from './messages/append-messages.ts';
export type { OwnMessage } from './messages/change-message.ts';
export { messageFrame } from './messages/message.broadcasts.ts';
export { deleteMessage } from './messages/delete-message.ts';
export { editMessage } from './messages/edit-message.ts';
export { Message, type SenderType } from './messages/message.entity.ts';
export { type Audience, audienceOf, type MessageView, messageView, type ReadMarks } from './messages/message.view.ts';
export { changesAfter, type LogPage, type LogWindow, MAX_PAGE, readLog, readMessage } from './messages/message-log.ts';
export { MAX_MESSAGE_LENGTH } from './messages/message-text.ts';
export { type PostedMessage, type PostMessage, postMessage } from './messages/post-message.ts';
export {
  type AppendOutcome,
  contentHash,
  type NewMessage,
  type Sender,
  type StoredMessage,
} from './messages/stored-message.ts';
export type { Messaging } from './messaging.ts';
