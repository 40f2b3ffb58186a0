import { sql } from 'kysely';
import type { Person } from '../../identity/index.ts';
import { type Scope, transact } from '../../platform/database/index.ts';
import { AppError, Conflict, Forbidden, Invalid, NotFound } from '../../platform/errors/index.ts';
import type { IntakePlace, StagedFile } from '../../platform/storage/index.ts';
import { newId } from '../../platform/text/index.ts';
import { recordAudit } from '../../tenancy/index.ts';
import { accessConversation } from '../conversations/access-conversation.ts';
import { conversationKind } from '../conversations/conversation-kinds.ts';
import { messageReopens } from '../conversations/reopen-window.ts';
import type { Messaging } from '../messaging.ts';
import { rows } from '../rows.ts';
import { Attachment, type AttachmentState } from './attachment.entity.ts';
import { displayName } from './file-name.ts';
import { createTextCheck, HEAD_BYTES, isHeic, mediaTypeOf } from './file-type.ts';
import type { Examined } from './files.ts';
import { countUsage, refuseWithoutRoom } from './quota.ts';

/** What of a scope an upload needs: it takes long, so it opens units of work of its own. */
export type UploadDoor = Pick<Scope<Person>, 'tenant' | 'actor'>;

/**
 * Does the work of one body with files at the gate of the process, which may be full.
 * @throws Unavailable `uploads_busy`
 */
export async function atIntake<T>(
  { tenant, actor }: UploadDoor,
  { files }: Pick<Messaging, 'files'>,
  work: (place: IntakePlace) => Promise<T>,
): Promise<T> {
  const place = await files.intake.enter({ lane: tenant.id, owner: actor.id });
  try {
    return await work(place);
  } finally {
    place.leave();
  }
}

/** Somebody who may send files here, and which. */
export interface UploadPermit {
  readonly door: UploadDoor;
  /** Null: for the first message of a conversation that is not there yet. */
  readonly conversationId: string | null;
  readonly maxBytes: number;
  readonly maxSizeMb: number;
  readonly allowedTypes: readonly string[];
}

/** A file whose size and type are right, on the disk, accepted by nobody yet. Whoever holds it discards it. */
export interface TakenFile {
  readonly staged: StagedFile;
  readonly mediaType: string;
  readonly fileName: string;
}

/** A file that is kept; `isNew` is false when the same client id brought it before. */
export interface UploadedAttachment {
  readonly attachment: Attachment;
  readonly isNew: boolean;
}

const HEIC_SENTENCE = 'Photos in HEIC format are not taken. Save the photo as JPEG and send it again.';
/** Bytes of a megabyte, as the setting counts them. */
const MEGABYTE = 1024 * 1024;

/**
 * Whether this person may send files into this conversation now (null: with the message that will open one) and has room
 * for one more; asked before a byte of the file is read (T-AT2).
 * @throws NotFound, Forbidden (also `support_disabled`), Conflict `conversation_closed`, 413 `attachment_quota`.
 */
export async function admitUpload(
  door: UploadDoor,
  messaging: Messaging,
  conversationId: string | null,
): Promise<UploadPermit> {
  await messaging.database.withScope(door.tenant, door.actor, async (scope) => {
    await refuseUpload(scope, messaging, conversationId);
    await refuseWithoutRoom(scope, messaging);
  });
  return permitFor(door, messaging, conversationId);
}

/** What the settings of the tenant let through. Says nothing of rights: `refuseUpload` does. */
export function permitFor(
  door: UploadDoor,
  messaging: Pick<Messaging, 'settings'>,
  conversationId: string | null,
): UploadPermit {
  const settings = messaging.settings(door.tenant.id);
  return {
    door,
    conversationId,
    maxBytes: settings.maxAttachmentSizeMb * MEGABYTE,
    maxSizeMb: settings.maxAttachmentSizeMb,
    allowedTypes: settings.allowedAttachmentTypes,
  };
}

/** Throws what stands in the way of sending files there. */
export async function refuseUpload(
  scope: Scope<Person>,
  messaging: Pick<Messaging, 'settings'>,
  conversationId: string | null,
): Promise<void> {
  const { actor, tenant } = scope;
  if (actor.side === 'user' && !messaging.settings(tenant.id).enabled) {
    throw new Forbidden('support_disabled', 'Support is switched off at the moment.');
  }
  if (conversationId === null) {
    if (!conversationKind('support')?.mayStart(actor)) throw new Forbidden();
    return;
  }
  const conversation = await accessConversation(scope, conversationId);
  if (!conversationKind(conversation.kind)?.mayAnswer(actor)) throw new Forbidden();
  const reopens = actor.side === 'user' && messageReopens(messaging.settings(tenant.id), conversation, scope.now);
  if (!conversation.isOpen() && !reopens) throw new Conflict('conversation_closed', 'This conversation is closed.');
}

/**
 * Takes a file off the line: its first bytes say what it is, before anything is written, and it is cut off at the limit.
 * Null for a form field that was left empty.
 * @throws 413 `attachment_too_large`, 415 `attachment_type`.
 */
export async function takeFile(
  permit: UploadPermit,
  messaging: Pick<Messaging, 'files'>,
  part: { readonly fileName: string; readonly stream: AsyncIterable<Buffer> },
  { turn }: Pick<IntakePlace, 'turn'>,
): Promise<TakenFile | null> {
  const { head, rest } = await peek(part.stream);
  if (head.length === 0) {
    if (part.fileName === '') return null;
    throw new Invalid({ file: 'empty' }, 'attachment_empty', 'This file is empty.');
  }
  const mediaType = await typeOf(permit, head);
  const isText = mediaType === 'text/plain' ? createTextCheck() : () => true;
  const check = (chunk: Buffer, before: number) => {
    if (before + chunk.length > permit.maxBytes) throw tooLarge(permit);
    if (!isText(chunk)) throw refusedType(permit);
  };
  const staged = await messaging.files.staging.stage(rest, check, turn);
  return { staged, mediaType, fileName: displayName(part.fileName, mediaType) };
}

/**
 * What a file is by its first bytes.
 * @throws 415 `attachment_type`, `attachment_heic` when the tenant does not take that.
 */
export async function typeOf(permit: UploadPermit, head: Buffer): Promise<string> {
  const mediaType = await mediaTypeOf(head, permit.allowedTypes);
  if (!mediaType && isHeic(head)) throw new AppError(415, 'attachment_heic', HEIC_SENTENCE);
  if (!mediaType) throw refusedType(permit);
  return mediaType;
}

/**
 * Keeps a taken file: looks into it, makes it durable, and only then writes its row. Resolves after COMMIT. The same
 * client id again is answered with what is kept. `settle` runs in the transaction that writes the row, before the file
 * is counted.
 * @throws Conflict `client_id_reused` when it came with other bytes, Invalid `attachment_refused` for what was found in
 *   it, 413 `attachment_quota`, 507 `storage_full`.
 */
export async function keepFile(
  permit: UploadPermit,
  messaging: Messaging,
  file: TakenFile,
  clientId: string,
  settle: (scope: Scope<Person>) => Promise<void> = async () => {},
): Promise<UploadedAttachment> {
  const repeated = await inScope(permit, messaging, (scope) => findTwin(scope, permit, file, clientId));
  if (repeated) {
    await inScope(permit, messaging, (scope) => transact(scope, settle));
    return { attachment: repeated, isNew: false };
  }
  const examined = await messaging.files.examine(file.staged, file.mediaType);
  if (examined.kind === 'refused') throw refusedContent(examined.code);
  const kept = await store(messaging, file, examined);
  try {
    const uploaded = await inScope(permit, messaging, (scope) =>
      transact(scope, async (inside) => {
        await settle(inside);
        return writeRow(inside, messaging, permit, file, clientId, kept);
      }),
    );
    if (!uploaded.isNew) await forget(messaging, kept);
    return uploaded;
  } catch (error) {
    await forget(messaging, kept);
    throw error;
  }
}

/** What of a file is in the store by now. */
export interface KeptFile {
  readonly state: AttachmentState;
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
  readonly thumbnailPath: string | null;
  readonly thumbnailSize: number | null;
  readonly width: number | null;
  readonly height: number | null;
}

/** Puts what looking into a file has left of it where it stays; what cannot be looked into yet, as it came. */
export async function store(
  messaging: Pick<Messaging, 'files'>,
  { staged }: Pick<TakenFile, 'staged'>,
  examined: Exclude<Examined, { kind: 'refused' }>,
): Promise<KeptFile> {
  const { storage } = messaging.files;
  if (examined.kind !== 'clean') {
    const path = await storage.put(staged);
    const state = examined.kind === 'later' ? 'processing' : 'ready';
    const { size, sha256 } = staged;
    return { state, path, size, sha256, thumbnailPath: null, thumbnailSize: null, width: null, height: null };
  }
  const { file, thumbnail, width, height } = examined;
  try {
    const path = await storage.put(file);
    try {
      const thumbnailPath = await storage.put(thumbnail);
      const { size, sha256 } = file;
      return { state: 'ready', path, size, sha256, thumbnailPath, thumbnailSize: thumbnail.size, width, height };
    } catch (error) {
      await storage.remove(path);
      throw error;
    }
  } finally {
    await Promise.all([file.discard(), thumbnail.discard()]);
  }
}

/** Why a file was not taken after all, for who sent it. */
function refusedContent(code: string): Invalid {
  const sentences: Readonly<Record<string, string>> = {
    picture_too_large: 'A picture may have at most 40 million pixels.',
    unreadable_picture: 'This picture is damaged.',
    infected: 'This file holds malware.',
  };
  return new Invalid({ file: code }, `attachment_${code}`, sentences[code] ?? 'This file was refused.');
}

async function forget({ files }: Pick<Messaging, 'files'>, kept: KeptFile): Promise<void> {
  await Promise.all([kept.path, kept.thumbnailPath].map((path) => path && files.storage.remove(path)));
}

function inScope<T>(
  { door }: Pick<UploadPermit, 'door'>,
  messaging: Messaging,
  work: (scope: Scope<Person>) => Promise<T>,
): Promise<T> {
  return messaging.database.withScope(door.tenant, door.actor, work);
}

/** What the same person has sent there under the same client id, deleted or not. */
export async function findUploaded(
  scope: Scope<Person>,
  conversationId: string | null,
  clientId: string,
): Promise<Attachment | null> {
  const sent = { uploadedBy: scope.actor.id, clientId };
  return scope.em.findOne(
    Attachment,
    conversationId === null ? { ...sent, cameFirst: true } : { ...sent, conversationId },
  );
}

async function findTwin(
  scope: Scope<Person>,
  { conversationId }: UploadPermit,
  file: TakenFile,
  clientId: string,
): Promise<Attachment | null> {
  const found = await findUploaded(scope, conversationId, clientId);
  if (!found) return null;
  if (found.sourceSha256 !== file.staged.sha256) {
    throw new Conflict('client_id_reused', 'Another file was sent with this clientId already.');
  }
  return found;
}

async function writeRow(
  scope: Scope<Person>,
  messaging: Messaging,
  permit: UploadPermit,
  file: TakenFile,
  clientId: string,
  kept: KeptFile,
): Promise<UploadedAttachment> {
  const { actor, now, tenant } = scope;
  const id = newId();
  // rights may have gone while the file came
  const { conversationId } = permit;
  if (conversationId !== null) await accessConversation(scope, conversationId);
  const written = await rows(
    scope,
    sql`
      insert into attachments (id, tenant_id, conversation_id, came_first, uploaded_by, client_id, file_name, media_type, size,
        sha256, source_sha256, secure_storage_path, thumbnail_path, thumbnail_size, width, height, state,
        created_at, updated_at)
      values (${id}, ${tenant.id}, ${conversationId}, ${conversationId === null}, ${actor.id}, ${clientId}, ${file.fileName}, ${file.mediaType},
        ${kept.size}, ${kept.sha256}, ${file.staged.sha256}, ${kept.path}, ${kept.thumbnailPath}, ${kept.thumbnailSize},
        ${kept.width}, ${kept.height}, ${kept.state}, ${now}, ${now})
      on conflict do nothing returning id`,
  );
  if (written.length > 0) {
    await countUsage(scope, messaging, kept.size + (kept.thumbnailSize ?? 0));
    recordAudit(scope, {
      action: 'SUPPORT_ATTACHMENT_UPLOADED',
      entityType: 'support_attachment',
      entityId: id,
      metadata: { conversationId, mediaType: file.mediaType, size: kept.size },
    });
  }
  const attachment = await findTwin(scope, permit, file, clientId);
  if (!attachment) throw new NotFound();
  return { attachment, isNew: written.length > 0 };
}

/** 413, naming the tenant's limit. */
export function tooLarge({ maxSizeMb }: Pick<UploadPermit, 'maxSizeMb'>): AppError {
  const detail = { maxSizeMb };
  return new AppError(413, 'attachment_too_large', `A file may have at most ${maxSizeMb} MB.`, { detail });
}

function refusedType({ allowedTypes }: UploadPermit): AppError {
  const named = allowedTypes.join(', ');
  const sentence = named ? `Files of this type are not taken. Allowed are: ${named}.` : 'Files are not taken here.';
  return new AppError(415, 'attachment_type', sentence, { detail: { allowedTypes } });
}

/** The first bytes of a stream, and all of it again. */
export async function peek(stream: AsyncIterable<Buffer>): Promise<{ head: Buffer; rest: AsyncIterable<Buffer> }> {
  const chunks = stream[Symbol.asyncIterator]();
  const first: Buffer[] = [];
  let length = 0;
  while (length < HEAD_BYTES) {
    const next = await chunks.next();
    if (next.done) break;
    first.push(next.value);
    length += next.value.length;
  }
  async function* all(): AsyncGenerator<Buffer> {
    yield* first;
    for (let next = await chunks.next(); !next.done; next = await chunks.next()) yield next.value;
  }
  return { head: Buffer.concat(first), rest: all() };
}
