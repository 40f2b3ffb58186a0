import type { Person } from '../identity/index.ts';
import { type Attachment, hasUnchecked, type Live } from '../messaging/index.ts';
import type { Scope } from '../platform/database/index.ts';

type Line = Pick<Live, 'checking'>;

/** The others in the conversation see that a file is on its way, when it is being checked. */
export function tellChecking(
  person: Person,
  live: Line,
  { state, conversationId }: Pick<Attachment, 'state' | 'conversationId'>,
): void {
  if (state === 'processing' && conversationId) live.checking(person, conversationId, true);
}

/** Its sender asked what became of it: the others are told too, for as long as any of theirs is being checked. */
export async function tellChecked(scope: Scope<Person>, live: Line, file: Attachment): Promise<void> {
  const { conversationId, messageId } = file;
  if (!conversationId || messageId) return;
  const isChecking = file.state === 'processing' || (await hasUnchecked(scope, conversationId));
  live.checking(scope.actor, conversationId, isChecking);
}
