/** Audit actions of the contract; open list. */
export type AuditAction =
  | 'SUPPORT_CONVERSATION_CREATED'
  | 'SUPPORT_CONVERSATION_ASSIGNED'
  | 'SUPPORT_CONVERSATION_CLOSED'
  | 'SUPPORT_CONVERSATION_REOPENED'
  | 'SUPPORT_CONVERSATION_RATED'
  | 'SUPPORT_MESSAGE_SENT'
  | 'SUPPORT_MESSAGE_EDITED'
  | 'SUPPORT_MESSAGE_DELETED'
  | 'SUPPORT_NOTE_ADDED'
  | 'SUPPORT_ATTACHMENT_UPLOADED'
  | 'SUPPORT_SETTINGS_CHANGED'
  | 'SUPPORT_ROLE_CHANGED'
  | 'SUPPORT_AGENT_CHANGED'
  | 'SUPPORT_EXPORTED'
  | 'SUPPORT_PERSON_ERASED'
  | 'SUPPORT_LEGAL_HOLD_CHANGED'
  | 'SUPPORT_CONVERSATIONS_DELETED'
  | 'SUPPORT_SIGNED_IN'
  | 'SUPPORT_ACCESS_REFUSED';

/** One line of the audit log; ids only, never text, names, emails, phone numbers, URLs or tokens. */
export interface AuditEntry {
  readonly action: AuditAction;
  readonly entityType: string;
  readonly entityId: string;
  readonly metadata: Readonly<Record<string, string | number | boolean | null>>;
}
