import type { Person } from '../../identity/index.ts';
import type { Scope } from '../../platform/database/index.ts';
import type { SupportSettings } from '../../tenancy/index.ts';
import { Attachment } from './attachment.entity.ts';
import { type AttachmentView, attachmentView, pageLinks } from './attachment.view.ts';
import { MAX_ATTACHMENTS } from './post-with-attachments.ts';

/** What a page needs to take files: which, how many, and those that are there already. */
export interface AttachView {
  /** Files of this conversation; null: of the one that the message will open. */
  readonly conversationId: string | null;
  /** Media types, for `accept`. */
  readonly accept: readonly string[];
  readonly maxSizeMb: number;
  readonly maxFiles: number;
  /** Came with a message that was refused. */
  readonly kept: readonly AttachmentView[];
}

/** What the page of a conversation, or of its start, may take as files. */
export function attachView(
  settings: Pick<SupportSettings, 'allowedAttachmentTypes' | 'maxAttachmentSizeMb'>,
  conversationId: string | null,
  kept: readonly AttachmentView[] = [],
): AttachView {
  return {
    conversationId,
    accept: settings.allowedAttachmentTypes,
    maxSizeMb: settings.maxAttachmentSizeMb,
    maxFiles: MAX_ATTACHMENTS,
    kept,
  };
}

/** The actor's own files that are in no message yet, for a form that is shown again. */
export async function unsentAttachments(scope: Scope<Person>, ids: readonly string[]): Promise<AttachmentView[]> {
  if (ids.length === 0) return [];
  const found = await scope.em.find(
    Attachment,
    { id: { $in: [...ids] }, uploadedBy: scope.actor.id, messageId: null, state: { $ne: 'deleted' } },
    { orderBy: { id: 'asc' }, limit: MAX_ATTACHMENTS, refresh: true },
  );
  return found.map((file) => attachmentView(file, pageLinks));
}
