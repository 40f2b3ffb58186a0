import type { SupportSettings } from '../../tenancy/index.ts';
import type { Conversation } from './conversation.entity.ts';

const HOUR_MS = 3_600_000;

/** Until when a user may reopen a closed conversation; null for one that is open, and where users never may. */
export function reopenableUntil(
  settings: Pick<SupportSettings, 'enabled' | 'reopenWithinHours'>,
  { closedAt }: Pick<Conversation, 'closedAt'>,
): Date | null {
  if (!closedAt || !settings.enabled || settings.reopenWithinHours === 0) return null;
  return new Date(closedAt.getTime() + settings.reopenWithinHours * HOUR_MS);
}

/** Whether a message of its user, written now, opens a closed conversation again. */
export function messageReopens(
  settings: Pick<SupportSettings, 'enabled' | 'reopenWithinHours' | 'reopenOnMessage'>,
  conversation: Pick<Conversation, 'closedAt'>,
  now: Date,
): boolean {
  const until = settings.reopenOnMessage ? reopenableUntil(settings, conversation) : null;
  return until !== null && now < until;
}
