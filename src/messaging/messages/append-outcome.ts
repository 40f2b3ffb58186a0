import type { Person } from '../../identity/index.ts';
import { Conflict, Forbidden, Invalid, NotFound, NotSignedIn, TooMany } from '../../platform/errors/index.ts';
import type { Messaging } from '../messaging.ts';
import type { AppendOutcome, StoredMessage } from './stored-message.ts';

/** The sender's rights changed since the app looked: `withFreshPerson` looks again and asks once more. */
class StaleSender extends Error {}

/** A message that is in the log: stored now, or by an earlier send that this one repeats. */
export interface AppendedMessage {
  readonly message: StoredMessage;
  readonly isNew: boolean;
}

/** What was stored, or the error that the verdict stands for. */
export function storedOrThrow(outcome: AppendOutcome | undefined): AppendedMessage {
  switch (outcome?.verdict) {
    case 'new':
    case 'repeat':
      return { message: outcome.message, isNew: outcome.verdict === 'new' };
    case 'absent':
      throw new NotFound();
    case 'conflict':
      throw new Conflict('client_id_reused', 'Another message was sent with this clientId already.');
    case 'closed':
      throw new Conflict('conversation_closed', 'This conversation is closed.');
    case 'unassigned':
    case 'assigned_to_other':
      throw new Conflict('assigned_to_other', 'A colleague is answering this conversation.');
    case 'stale':
      throw new StaleSender();
    case 'too_many':
      throw new TooMany(outcome.retryAfterSeconds, 'too_many', 'That was a lot at once. Wait a few seconds.');
    case 'refused':
      throw refusal(outcome.code);
    default:
      throw new Error('the log gave no outcome');
  }
}

/** Codes that the app hands down as `refuseNew` and gets back when the message was not a repeat. */
export const REFUSALS = { disabled: 'support_disabled', tooLong: 'too_long', forbidden: 'forbidden' } as const;

function refusal(code: string): Error {
  if (code === REFUSALS.disabled) return new Forbidden(code, 'Support is switched off at the moment.');
  if (code === REFUSALS.tooLong) return new Invalid({ body: 'too_long' });
  return new Forbidden();
}

/**
 * Runs the work; when the log says that the sender's rights have changed, loads the person again and runs it once more.
 * @throws NotSignedIn when the person may no longer act at all.
 */
export async function withFreshPerson<T>(
  person: Person,
  messaging: Pick<Messaging, 'reloadPerson'>,
  work: (person: Person) => Promise<T>,
): Promise<T> {
  try {
    return await work(person);
  } catch (error) {
    if (!(error instanceof StaleSender)) throw error;
  }
  const fresh = await messaging.reloadPerson(person);
  if (!fresh) throw new NotSignedIn();
  try {
    return await work(fresh);
  } catch (error) {
    if (error instanceof StaleSender) throw new NotSignedIn();
    throw error;
  }
}
