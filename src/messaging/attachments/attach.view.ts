import type { SupportSettings } from '../../tenancy/index.ts';
import { MAX_ATTACHMENTS } from './post-with-attachments.ts';

/** What a page needs to take files: where they go, which and how many. */
export interface AttachView {
  /** Takes a multipart form: from a script one file, whose piece of the message form is the answer. */
  readonly action: string;
  /** Media types, for `accept`. */
  readonly accept: readonly string[];
  readonly maxSizeMb: number;
  readonly maxFiles: number;
  /** For the form of a page without script. */
  readonly clientId: string;
  /** Where a plain form comes back to. */
  readonly to: string;
}

/** What the page of a conversation may take as files; `to` is its path. */
export function attachView(
  settings: Pick<SupportSettings, 'allowedAttachmentTypes' | 'maxAttachmentSizeMb'>,
  conversationId: string,
  to: string,
): AttachView {
  return {
    action: `/conversations/${conversationId}/attachments`,
    accept: settings.allowedAttachmentTypes,
    maxSizeMb: settings.maxAttachmentSizeMb,
    maxFiles: MAX_ATTACHMENTS,
    clientId: crypto.randomUUID(),
    to,
  };
}
