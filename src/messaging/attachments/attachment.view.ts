import type { StoredMessage } from '../messages/stored-message.ts';
import type { Attachment } from './attachment.entity.ts';
import type { FileLinks } from './file-links.ts';

/**
 * What a message keeps of its files, inside its own row: safe metadata only, so that a page of messages, a live frame
 * and catching up need no second look. Files of messages are ready.
 */
export interface AttachmentFacts {
  readonly id: string;
  readonly fileName: string;
  readonly mediaType: string;
  /** Bytes. */
  readonly size: number;
  /** Of pictures, in pixels. */
  readonly width: number | null;
  readonly height: number | null;
  readonly hasThumbnail: boolean;
}

/** A file as the contract shows it. */
export interface AttachmentView {
  readonly id: string;
  readonly fileName: string;
  readonly mediaType: string;
  readonly size: number;
  readonly state: string;
  /** Signed and short-lived for programs; for pages the door that signs at the click. Null unless it is ready. */
  readonly url: string | null;
  readonly thumbnailUrl: string | null;
  readonly width: number | null;
  readonly height: number | null;
}

/** What a message will keep of a file. */
export function attachmentFacts(file: Attachment): AttachmentFacts {
  return {
    id: file.id,
    fileName: file.fileName,
    mediaType: file.mediaType,
    size: file.size,
    width: file.width ?? null,
    height: file.height ?? null,
    hasThumbnail: file.thumbnailPath != null,
  };
}

/** One file by itself, for who sent it. */
export function attachmentView(file: Attachment, links: Pick<FileLinks, 'url'>): AttachmentView {
  return view(attachmentFacts(file), file.state, (form) =>
    links.url({ tenantId: file.tenantId, conversationId: file.conversationId ?? null, attachmentId: file.id, form }),
  );
}

/** Addresses for our own pages: a door that signs at the click, because a page stands open longer than a signature holds. */
export const pageLinks: Pick<FileLinks, 'url'> = {
  url: ({ attachmentId, form }) => `/attachments/${attachmentId}/${form}`,
};

/** The files of a message; none once it is deleted. Without `links` the addresses are those of our pages. */
export function attachmentsOf(message: StoredMessage, links: Pick<FileLinks, 'url'> = pageLinks): AttachmentView[] {
  if (message.deletedAt) return [];
  const { tenantId, conversationId } = message;
  return factsOf(message).map((facts) =>
    view(facts, 'ready', (form) => links.url({ tenantId, conversationId, attachmentId: facts.id, form })),
  );
}

/** What the message's row says of its files. */
function factsOf({ event, data }: Pick<StoredMessage, 'event' | 'data'>): readonly AttachmentFacts[] {
  // written by post-with-attachments alone, from attachmentFacts()
  return event === null ? ((data?.['attachments'] as readonly AttachmentFacts[] | undefined) ?? []) : [];
}

function view(
  facts: AttachmentFacts,
  state: string,
  address: (form: 'view' | 'thumbnail' | 'download') => string,
): AttachmentView {
  const { id, fileName, mediaType, size, width, height, hasThumbnail } = facts;
  const isReady = state === 'ready';
  return {
    id,
    fileName,
    mediaType,
    size,
    state,
    url: isReady ? address(hasThumbnail ? 'view' : 'download') : null,
    thumbnailUrl: isReady && hasThumbnail ? address('thumbnail') : null,
    width,
    height,
  };
}
