import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { AppError, Invalid } from '../../platform/errors/index.ts';
import { fieldNames, MAX_TEXT_BYTES, readMultipart, repeatableKeys, validate } from '../../platform/http/index.ts';
import type { IntakePlace } from '../../platform/storage/index.ts';
import type { Messaging } from '../messaging.ts';
import {
  admitUpload,
  keepFile,
  peek,
  type TakenFile,
  takeFile,
  type UploadDoor,
  type UploadedAttachment,
  type UploadPermit,
} from './upload-attachment.ts';

/** What an upload may hold beside its files. */
interface FormWithFiles<T> {
  /** Null: for the first message of a conversation that is not there yet. */
  readonly conversationId: string | null;
  readonly maxFiles: number;
  /** There is nothing but the file: who may not send one is told so before anything is read. */
  readonly needsFile?: boolean;
  /** Of the other fields; `clientId` is one of them. */
  readonly schema: z.ZodType<T>;
}

/** What came: what was typed also when a file was refused, so that nothing is lost. */
export interface ReceivedForm<T> {
  readonly typed: T;
  readonly kept: readonly UploadedAttachment[];
  /** Why not all files are kept. */
  readonly error: AppError | null;
}

/**
 * Receives a form with files: who sends and whether there is room is asked before a byte of a file is kept, and nothing of
 * a file that fails stays behind. A form whose file fields were left empty is a form like any other. A single file has the
 * form's client id, several have ids made from it and from what they are.
 * @throws Invalid for fields that the schema refuses.
 */
export async function receiveForm<T>(
  door: UploadDoor,
  messaging: Messaging,
  request: IncomingMessage,
  { conversationId, maxFiles, needsFile, schema }: FormWithFiles<T>,
): Promise<ReceivedForm<T>> {
  let admitted: Promise<Admitted> | undefined;
  const enter = async (): Promise<Admitted> => {
    const permit = await admitUpload(door, messaging, conversationId);
    const place = await messaging.files.intake.enter({ lane: door.tenant.id, owner: door.actor.id });
    return { permit, place };
  };
  const admit = () => (admitted ??= enter());
  if (needsFile) await admit();
  const fields: Record<string, string | string[]> = {};
  const repeatable = [...repeatableKeys(schema)];
  const form = { fileField: 'file', maxFiles, fields: fieldNames(schema), repeatable, maxFieldBytes: MAX_TEXT_BYTES };
  let files: TakenFile[] = [];
  try {
    const read = await readMultipart(
      request,
      form,
      async ({ fileName, stream }) => {
        const { head, rest } = await peek(stream);
        if (head.length === 0 && fileName === '') return null;
        const { permit, place } = await admit();
        return takeFile(permit, messaging, { fileName, stream: rest }, place);
      },
      async (taken) => taken?.staged.discard(),
      fields,
    );
    files = read.files.filter((file) => file !== null);
    const typed = validate(schema, fields);
    const clientId = checkedId(fields['clientId']);
    const kept = await keepAll(files, (file) =>
      admit().then(({ permit }) =>
        keepFile(permit, messaging, file, needsFile ? clientId : idFrom(clientId, file.staged.sha256)),
      ),
    );
    return { typed, ...kept };
  } catch (error) {
    const typed = schema.safeParse(fields);
    // of a form that cannot be read, or lacks fields, nothing can be shown again
    if (!(error instanceof AppError) || error.status === 400 || !typed.success) throw error;
    return { typed: typed.data, kept: [], error };
  } finally {
    await Promise.all(files.map((file) => file.staged.discard()));
    // whoever was not let in has nothing to give back
    await admitted?.then(({ place }) => place.leave()).catch(() => {});
  }
}

/** Somebody who may send files, and is at the gate. */
interface Admitted {
  readonly permit: UploadPermit;
  readonly place: IntakePlace;
}

function checkedId(given: unknown): string {
  const clientId = z.guid().toLowerCase().safeParse(given);
  if (clientId.success) return clientId.data;
  throw new Invalid({ clientId: given === undefined ? 'required' : 'uuid' });
}

async function keepAll(
  files: readonly TakenFile[],
  keep: (file: TakenFile) => Promise<UploadedAttachment>,
): Promise<Pick<ReceivedForm<unknown>, 'kept' | 'error'>> {
  const kept: UploadedAttachment[] = [];
  try {
    for (const file of files) kept.push(await keep(file));
  } catch (error) {
    if (error instanceof AppError) return { kept, error };
    throw error;
  }
  return { kept, error: null };
}

/** The same id for the same file of the same form, however often it is sent. */
function idFrom(clientId: string, sha256: string): string {
  const hex = createHash('sha256').update(`${clientId} ${sha256}`).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    '-',
  );
}
