import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import type { Person } from '../identity/index.ts';
import { admitUpload, keepFile, type Messaging, takeFile } from '../messaging/index.ts';
import type { Scope } from '../platform/database/index.ts';
import { Invalid } from '../platform/errors/index.ts';
import { readMultipart } from '../platform/http/index.ts';
import { Uuid } from './fields.schema.ts';

/** What an upload may hold beside its client id. */
interface UploadForm {
  readonly conversationId: string;
  readonly maxFiles: number;
  /** Names of further fields. */
  readonly fields: readonly string[];
}

/**
 * Receives the files of a form: who sends and whether there is room is asked before a byte is read, and nothing of a
 * form that fails stays behind. The first file has the form's client id, each further one an id made from it.
 * @throws what the use cases of attachments throw, Invalid for a missing file or client id.
 */
export async function receiveFiles(
  scope: Pick<Scope<Person>, 'tenant' | 'actor'>,
  messaging: Messaging,
  request: IncomingMessage,
  form: UploadForm,
) {
  const permit = await admitUpload(scope, messaging, form.conversationId);
  const read = await readMultipart(
    request,
    { fileField: 'file', maxFiles: form.maxFiles, fields: ['clientId', ...form.fields] },
    (part) => takeFile(permit, messaging, part),
    async (taken) => taken?.staged.discard(),
  );
  const files = read.files.filter((file) => file !== null);
  try {
    if (files.length === 0) throw new Invalid({ file: 'required' });
    const clientId = z.string().pipe(Uuid).safeParse(read.fields['clientId']);
    if (!clientId.success) throw new Invalid({ clientId: read.fields['clientId'] === undefined ? 'required' : 'uuid' });
    const kept = [];
    for (const [at, file] of files.entries()) {
      kept.push(
        await keepFile(permit, messaging, file, at === 0 ? clientId.data.toLowerCase() : idFrom(clientId.data, at)),
      );
    }
    return { kept, fields: read.fields, clientId: clientId.data };
  } finally {
    await Promise.all(files.map((file) => file.staged.discard()));
  }
}

/** The same id for the same file of the same form, however often it is sent. */
function idFrom(clientId: string, at: number): string {
  const hex = createHash('sha256').update(`${clientId.toLowerCase()} ${at}`).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    '-',
  );
}
