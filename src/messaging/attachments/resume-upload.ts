import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Person } from '../../identity/index.ts';
import { type Scope, transact } from '../../platform/database/index.ts';
import { AppError, BadRequest, Conflict, Invalid } from '../../platform/errors/index.ts';
import type { IntakePlace } from '../../platform/storage/index.ts';
import { newId } from '../../platform/text/index.ts';
import { accessConversation } from '../conversations/access-conversation.ts';
import type { Messaging } from '../messaging.ts';
import { rows } from '../rows.ts';
import { AttachmentUpload } from './attachment-upload.entity.ts';
import { displayName } from './file-name.ts';
import { HEAD_BYTES } from './file-type.ts';
import { countUsage, giveBackUsage, refuseWithoutRoom } from './quota.ts';
import {
  atIntake,
  findUploaded,
  keepFile,
  peek,
  permitFor,
  refuseUpload,
  takeFile,
  tooLarge,
  typeOf,
  type UploadDoor,
  type UploadedAttachment,
  type UploadPermit,
} from './upload-attachment.ts';

/** Whoever asks how far it is waits so long for a piece that is being written. */
const PIECE_WAIT_MS = 1_000;

/** A file that comes in pieces; every piece says all of this. */
export interface UploadOrder {
  /** Names the upload among its sender's. */
  readonly clientId: string;
  /** Null: for the first message of a conversation that is not there yet. */
  readonly conversationId: string | null;
  readonly fileName: string;
  /** Bytes of the whole file. */
  readonly size: number;
}

/** How far it is: the next piece begins at `received`; `uploaded` once all of it is here and kept. */
export interface UploadProgress {
  readonly received: number;
  readonly uploaded: UploadedAttachment | null;
}

/** How far an upload of this person is; what nobody has heard of is at 0. */
export async function uploadProgress(
  { tenant, actor }: UploadDoor,
  messaging: Messaging,
  order: Pick<UploadOrder, 'clientId' | 'conversationId'>,
): Promise<UploadProgress> {
  // what came before the line dropped is still being written: it need not be sent again
  const piece = messaging.files.pieces.get(pieceKey(actor, order));
  if (piece !== undefined) await Promise.race([piece, sleep(PIECE_WAIT_MS, undefined, { ref: false })]);
  return messaging.database.withScope(tenant, actor, async (scope) => {
    if (order.conversationId !== null) await accessConversation(scope, order.conversationId);
    const attachment = await findUploaded(scope, order.conversationId, order.clientId);
    if (attachment) return { received: 0, uploaded: { attachment, isNew: false } };
    const found = await scope.em.findOne(AttachmentUpload, { uploadedBy: actor.id, clientId: order.clientId });
    return { received: found?.received ?? 0, uploaded: null };
  });
}

/**
 * Takes the next piece of a file, which begins at `offset`. What came of it before the line dropped stays, so sending goes
 * on from there, on any node. With the last byte the file is looked into and kept like any other (`keepFile`); what is
 * refused then is forgotten altogether. The announced size counts as used from the first piece on.
 * @throws Conflict `upload_offset` when the next piece begins elsewhere, `client_id_reused` when the same id announced
 *   another file; and what `admitUpload`, `takeFile` and `keepFile` throw.
 */
export async function takePiece(
  door: UploadDoor,
  messaging: Messaging,
  order: UploadOrder,
  { offset, bytes }: { readonly offset: number; readonly bytes: Readable },
): Promise<UploadProgress> {
  const permit = permitFor(door, messaging, order.conversationId);
  const begun = await messaging.database.withScope(door.tenant, door.actor, async (scope) => {
    await refuseUpload(scope, messaging, order.conversationId);
    return beginOrFind(scope, messaging, permit, order, offset);
  });
  if ('uploaded' in begun) return begun;
  if (begun.received !== offset) throw elsewhere(begun.received);
  return atIntake(door, messaging, async (place) => {
    const key = pieceKey(door.actor, order);
    const storing = storePiece(messaging, permit, begun, bytes, place);
    const ended = storing.then(
      () => {},
      () => {},
    );
    messaging.files.pieces.set(key, ended);
    const size = await storing.finally(() => {
      if (messaging.files.pieces.get(key) === ended) messaging.files.pieces.delete(key);
    });
    const received = offset + size;
    if (received < begun.size) return { received, uploaded: null };
    return { received, uploaded: await finish(messaging, permit, begun, place) };
  });
}

/** Forgets an upload that is not wanted any more; done when there is none. */
export async function cancelUpload(
  { tenant, actor }: UploadDoor,
  messaging: Messaging,
  clientId: string,
): Promise<void> {
  await messaging.database.withScope(tenant, actor, async (scope) => {
    const found = await scope.em.findOne(AttachmentUpload, { uploadedBy: actor.id, clientId });
    if (found) await forgetUpload(scope, messaging, found.id);
  });
}

/** Removes an upload with its pieces and gives its room back: first the rows, then the bytes. Repeatable. */
export async function forgetUpload(scope: Scope, messaging: Pick<Messaging, 'files'>, id: string): Promise<void> {
  const pieces = await transact(scope, (inside) => releaseUpload(inside, id));
  for (const { path } of pieces) await messaging.files.storage.remove(path);
}

function pieceKey({ id }: Pick<Person, 'id'>, { clientId }: Pick<UploadOrder, 'clientId'>): string {
  return `${id} ${clientId}`;
}

interface Piece {
  readonly path: string;
  readonly size: number;
}

async function beginOrFind(
  scope: Scope<Person>,
  messaging: Messaging,
  permit: UploadPermit,
  order: UploadOrder,
  offset: number,
): Promise<AttachmentUpload | UploadProgress> {
  const { conversationId, clientId, fileName, size } = order;
  const mine = { uploadedBy: scope.actor.id, clientId };
  const found = await scope.em.findOne(AttachmentUpload, mine);
  if (found) {
    const isSame =
      (found.conversationId ?? null) === conversationId && found.size === size && found.fileName === fileName;
    if (!isSame) throw reused();
    return found;
  }
  const attachment = await findUploaded(scope, conversationId, clientId);
  if (attachment) {
    if (displayName(fileName, attachment.mediaType) !== attachment.fileName) throw reused();
    return { received: size, uploaded: { attachment, isNew: false } };
  }
  if (size > permit.maxBytes) throw tooLarge(permit);
  if (offset > 0) throw elsewhere(0);
  await refuseWithoutRoom(scope, messaging);
  await transact(scope, async (inside) => {
    const { now, tenant, actor } = inside;
    const written = await rows(
      inside,
      sql`
        insert into attachment_uploads (id, tenant_id, conversation_id, uploaded_by, client_id, file_name, size,
          created_at, updated_at)
        values (${newId()}, ${tenant.id}, ${conversationId}, ${actor.id}, ${clientId}, ${fileName}, ${size}, ${now}, ${now})
        on conflict do nothing returning id`,
    );
    if (written.length > 0) await countUsage(inside, messaging, size);
  });
  const begun = await scope.em.findOne(AttachmentUpload, mine);
  if (!begun) throw elsewhere(0);
  return begun;
}

/** Bytes of the piece that are durable now; 0 when nothing came. */
async function storePiece(
  messaging: Messaging,
  permit: UploadPermit,
  upload: AttachmentUpload,
  bytes: Readable,
  { turn }: IntakePlace,
): Promise<number> {
  const { storage, staging } = messaging.files;
  const offset = upload.received;
  const { head, rest } = await peek(untilItBreaks(bytes));
  // a first piece that is shorter than it takes to tell is told with all of the file
  if (offset === 0 && head.length >= HEAD_BYTES) await typeOf(permit, head);
  const check = (chunk: Buffer, before: number) => {
    if (offset + before + chunk.length > upload.size) {
      throw new BadRequest('too_many_bytes', 'More came than was announced.');
    }
  };
  const staged = await staging.stage(rest, check, turn);
  if (staged.size === 0) {
    await staged.discard();
    return 0;
  }
  const path = await storage.put(staged).catch(async (error: unknown) => {
    await staged.discard();
    throw error;
  });
  try {
    await inDoor(permit, messaging, (scope) =>
      transact(scope, (inside) => writePiece(inside, upload, { path, size: staged.size })),
    );
  } catch (error) {
    await storage.remove(path);
    throw error;
  }
  return staged.size;
}

async function writePiece(scope: Scope<Person>, { id, received }: AttachmentUpload, piece: Piece): Promise<void> {
  const { tenant, now } = scope;
  const moved = await rows(
    scope,
    sql`
      update attachment_uploads set received = received + ${piece.size}, updated_at = ${now}
      where id = ${id} and tenant_id = ${tenant.id} and received = ${received} returning id`,
  );
  // the same piece came twice at once, or the upload was cancelled
  if (moved.length === 0) throw new Conflict('upload_offset', 'The next piece begins elsewhere.');
  await rows(
    scope,
    sql`
      insert into attachment_chunks (upload_id, tenant_id, starts_at, size, secure_storage_path)
      values (${id}, ${tenant.id}, ${received}, ${piece.size}, ${piece.path})`,
  );
}

/** Makes one file of the pieces and keeps it. A fault of ours leaves the pieces for another try. */
async function finish(
  messaging: Messaging,
  permit: UploadPermit,
  upload: AttachmentUpload,
  place: IntakePlace,
): Promise<UploadedAttachment> {
  const { id, clientId, fileName } = upload;
  const { storage } = messaging.files;
  const pieces = await inDoor(permit, messaging, (scope) => readPieces(scope, id));
  let open: Readable | undefined;
  async function* whole(): AsyncGenerator<Buffer> {
    for (const { path } of pieces) {
      open = await storage.open(path);
      yield* open as AsyncIterable<Buffer>;
    }
  }
  try {
    const taken = await takeFile(permit, messaging, { fileName, stream: whole() }, place);
    if (!taken) throw new Invalid({ file: 'empty' }, 'attachment_empty', 'This file is empty.');
    try {
      const uploaded = await keepFile(permit, messaging, taken, clientId, async (scope) => {
        await releaseUpload(scope, id);
      });
      for (const { path } of pieces) await storage.remove(path);
      return uploaded;
    } finally {
      await taken.staged.discard();
    }
  } catch (error) {
    const twin = await inDoor(permit, messaging, (scope) =>
      findUploaded(scope, upload.conversationId ?? null, clientId),
    );
    // two who finished it at once: the other one was faster
    if (twin) return { attachment: twin, isNew: false };
    if (error instanceof AppError && error.status < 500) {
      await inDoor(permit, messaging, (scope) => forgetUpload(scope, messaging, id));
    }
    throw error;
  } finally {
    // one that was not read to its end
    open?.destroy();
  }
}

/** Its rows go and its room comes back, in the surrounding transaction; gives the pieces whose bytes are left. */
async function releaseUpload(scope: Scope, id: string): Promise<Piece[]> {
  const pieces = await readPieces(scope, id);
  const [gone] = await rows(
    scope,
    sql<{ uploaded_by: string; size: string | number }>`
      delete from attachment_uploads where id = ${id} and tenant_id = ${scope.tenant.id} returning uploaded_by, size`,
  );
  if (!gone) return [];
  await giveBackUsage(scope, gone.uploaded_by, Number(gone.size));
  return pieces;
}

function readPieces(scope: Scope, uploadId: string): Promise<Piece[]> {
  return rows(
    scope,
    sql<Piece>`
      select secure_storage_path as path, size::float8 as size from attachment_chunks
      where upload_id = ${uploadId} and tenant_id = ${scope.tenant.id} order by starts_at`,
  );
}

/** The bytes that come, until there are no more: a line that drops is an end like any other. */
async function* untilItBreaks(source: Readable): AsyncGenerator<Buffer> {
  try {
    // a stream without encoding gives buffers
    for await (const chunk of source as AsyncIterable<Buffer>) yield chunk;
  } catch {
    // what was there is kept
  }
}

function inDoor<T>(
  { door }: UploadPermit,
  messaging: Messaging,
  work: (scope: Scope<Person>) => Promise<T>,
): Promise<T> {
  return messaging.database.withScope(door.tenant, door.actor, work);
}

function elsewhere(offset: number): Conflict {
  return new Conflict('upload_offset', 'The next piece begins elsewhere.', { offset });
}

function reused(): Conflict {
  return new Conflict('client_id_reused', 'Another file was sent with this clientId already.');
}
