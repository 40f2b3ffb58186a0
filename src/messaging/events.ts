import type { DomainEvent, Scope } from '../platform/database/index.ts';
import type { StoredMessage } from './messages/stored-message.ts';

/** Messages that were there already changed: edits, deletions, reactions. New ones come through `appender.onAppended`. */
export interface MessagesChanged extends DomainEvent {
  readonly type: 'messages:changed';
  readonly conversationId: string;
  readonly messages: readonly StoredMessage[];
}

/** Somebody's read mark moved forward. */
export interface ConversationRead extends DomainEvent {
  readonly type: 'conversation:read';
  readonly conversationId: string;
  readonly participantId: string;
  readonly participantName: string;
  readonly side: 'user' | 'admin';
  readonly seq: number;
  /** False for admins who may not answer: their reading tells the user nothing. */
  readonly counts: boolean;
}

/** Lines that a use case stored in its own transaction are in the log; told after its commit. */
export interface MessagesAppended extends DomainEvent {
  readonly type: 'messages:appended';
  readonly messages: readonly StoredMessage[];
}

/** Status or assignee changed. */
export interface ConversationStateChanged extends DomainEvent {
  readonly type: 'conversation:state';
  readonly conversationId: string;
}

/** A user opened a conversation. */
export interface ConversationStarted extends DomainEvent {
  readonly type: 'conversation:started';
  readonly conversationId: string;
  readonly userId: string;
}

/** Everything that messaging tells. */
export type MessagingEvent =
  | MessagesChanged
  | MessagesAppended
  | ConversationRead
  | ConversationStateChanged
  | ConversationStarted;

/** Emits an event of this wing; told after the surrounding transaction has committed. */
export function tell(scope: Pick<Scope, 'emit'>, event: MessagingEvent): void {
  scope.emit(event);
}
