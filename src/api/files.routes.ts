import type { IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';
import { anyone, isPerson, type Person, signedIn } from '../identity/index.ts';
import {
  attachmentView,
  cancelUpload,
  contentDisposition,
  FILE_FORMS,
  findAttachment,
  type Live,
  type Messaging,
  type OpenedAttachment,
  openAttachment,
  pageLinks,
  takePiece,
  type UploadProgress,
  uploadProgress,
} from '../messaging/index.ts';
import type { Scope } from '../platform/database/index.ts';
import { AppError, BadRequest, NotFound, NotSignedIn } from '../platform/errors/index.ts';
import { fragment, noContent, type Reply, type Route, type RouteInput, route } from '../platform/http/index.ts';
import type { Show, Views } from '../platform/views/index.ts';
import { AttachmentPath } from './attachment.schema.ts';
import { tellChecked, tellChecking } from './checked-files.ts';
import { Uuid } from './fields.schema.ts';

const UploadPath = z.strictObject({ clientId: Uuid });

/** The whole file, and where it goes; without `conversation` to the message that will open one. */
const UploadQuery = z.strictObject({
  conversation: Uuid.optional(),
  name: z.string().min(1).max(300),
  size: z.coerce.number().int().min(1).max(1_000_000_000),
});

/** What these doors are made from. */
export interface FileDeps {
  readonly messaging: Messaging;
  readonly live: Pick<Live, 'checking'>;
  readonly views: Views;
  /** A second origin for files, where no cookie of ours goes; there the address stands for itself. */
  readonly filesUrl?: URL | undefined;
}

/** The bytes of files, behind signed addresses, and the door that signs for pages. */
export function fileRoutes({ messaging, live, views, filesUrl }: FileDeps): Route[] {
  const { links } = messaging.files;
  return [
    // a page's script sends a file in pieces and gets its piece of the form with the last one
    route({
      name: 'files.upload',
      method: 'PATCH',
      path: '/uploads/:clientId',
      policy: signedIn(),
      face: 'page',
      needsEm: false,
      bodyKind: 'bytes',
      params: UploadPath,
      query: UploadQuery,
      async handle(scope: Scope<Person>, { params, query, ctx, reader }) {
        const { conversation: conversationId = null, name: fileName, size } = query;
        const order = { clientId: params.clientId, conversationId, fileName, size };
        const piece = { offset: offsetOf(ctx.req.headers), bytes: ctx.req };
        const progress = await takePiece(scope, messaging, order, piece);
        if (progress.uploaded) tellChecking(scope.actor, live, progress.uploaded.attachment);
        return uploadReply(views.for(reader), progress);
      },
    }),
    route({
      name: 'files.upload-offset',
      method: 'GET',
      path: '/uploads/:clientId',
      policy: signedIn(),
      face: 'page',
      needsEm: false,
      params: UploadPath,
      query: z.strictObject({ conversation: Uuid.optional() }),
      async handle(scope: Scope<Person>, { params, query, reader }) {
        const order = { clientId: params.clientId, conversationId: query.conversation ?? null };
        return uploadReply(views.for(reader), await uploadProgress(scope, messaging, order));
      },
    }),
    route({
      name: 'files.cancel-upload',
      method: 'DELETE',
      path: '/uploads/:clientId',
      policy: signedIn(),
      face: 'page',
      needsEm: false,
      bodyKind: 'none',
      params: UploadPath,
      async handle(scope: Scope<Person>, { params }) {
        await cancelUpload(scope, messaging, params.clientId);
        return noContent();
      },
    }),
    // what became of a file that was being checked
    route({
      name: 'files.state',
      method: 'GET',
      path: '/attachments/:id/state',
      policy: signedIn(),
      face: 'page',
      params: AttachmentPath,
      async handle(scope: Scope<Person>, { params, reader }) {
        const found = await findAttachment(scope, params.id);
        await tellChecked(scope, live, found);
        const file = attachmentView(found, pageLinks);
        return fragment(views.for(reader).partial('/messaging/_attached', { file }));
      },
    }),
    // pages stand open longer than an address is good for: they link here, and the click is signed
    route({
      name: 'files.sign',
      method: 'GET',
      path: '/attachments/:id/:form',
      policy: signedIn(),
      face: 'page',
      params: z.strictObject({ id: Uuid, form: z.enum(FILE_FORMS) }),
      async handle(scope: Scope<Person>, { params }) {
        const found = await findAttachment(scope, params.id).catch((error) => {
          throw error instanceof NotFound ? fileGone() : error;
        });
        const { id: attachmentId, tenantId, conversationId, state } = found;
        if (state !== 'ready') throw fileGone();
        const { form } = params;
        const Location = links.url({ tenantId, conversationId: conversationId ?? null, attachmentId, form });
        return { status: 303, body: null, headers: { Location } };
      },
    }),
    route({
      name: 'files.serve',
      method: 'GET',
      path: '/files/:ticket',
      policy: anyone(),
      face: 'json',
      needsEm: false,
      // a session must not be needed, nor looked at, where cookies are not sent
      readsSession: filesUrl === undefined,
      params: z.strictObject({ ticket: z.string().max(200) }),
      summary: 'The bytes behind a signed address; at most one range.',
      async handle({ actor }: Scope, { params, ctx }) {
        if (filesUrl && ctx.req.headers.host !== filesUrl.host) throw new NotFound();
        const ticket = links.read(params.ticket);
        if (!ticket) throw new NotFound('link_expired', 'This address is no longer good.');
        const person = isPerson(actor) ? actor : null;
        if (!person && !filesUrl) throw new NotSignedIn();
        const opened = await openAttachment(messaging.database, ticket, person);
        return bytes(messaging, opened, ticket.form, ctx, filesUrl);
      },
    }),
    // each keeps its own input types; together they are doors
  ] as Route[];
}

/** The same whether it was taken away, is not served, or never was. */
function fileGone(): NotFound {
  return new NotFound('file_gone', 'This file is not here, or not any more.');
}

/** Its piece of the form, or where the next piece begins. */
function uploadReply(show: Show, { received, uploaded }: UploadProgress): Reply {
  if (!uploaded) return noContent({ 'Upload-Offset': String(received) });
  const { messageId, state } = uploaded.attachment;
  // it has been sent, or taken away: there is nothing left to do
  if (messageId || state === 'deleted') return fragment();
  const file = attachmentView(uploaded.attachment, pageLinks);
  return fragment(show.partial('/messaging/_attached', { file }));
}

function offsetOf(headers: IncomingHttpHeaders): number {
  const offset = z
    .string()
    .regex(/^\d{1,12}$/)
    .transform(Number)
    .safeParse(headers['upload-offset']);
  if (!offset.success) throw new BadRequest('bad_request', 'Upload-Offset says where the piece begins.');
  return offset.data;
}

/** The whole file or one range of it, with headers under which nothing of it runs (T-AT4, T-AT9, T-AT10). */
async function bytes(
  { files: { storage } }: Messaging,
  { path, size, mediaType, attachment }: OpenedAttachment,
  form: (typeof FILE_FORMS)[number],
  { req: { headers, method }, res }: RouteInput<unknown, unknown, unknown>['ctx'],
  filesUrl: URL | undefined,
): Promise<Reply> {
  // there is nothing that a condition could name: no validator is ever sent
  const range = headers['if-range'] === undefined ? oneRange(headers.range, size) : null;
  const length = range ? range.to - range.from + 1 : size;
  // before the head is out, so that a store that is away is told in words
  const file = method === 'HEAD' ? null : await storage.send(path, range ?? undefined);
  // who asked may be gone by now: then nobody takes it over, and nobody would close it
  if (res.destroyed) file?.close();
  else res.once('close', () => file?.close());
  return {
    status: range ? 206 : 200,
    type: mediaType === 'text/plain' ? 'text/plain; charset=utf-8' : mediaType,
    headers: {
      'Content-Security-Policy': "sandbox; default-src 'none'; frame-ancestors 'none'",
      'Cache-Control': 'private, no-store',
      'Referrer-Policy': 'no-referrer',
      'Cross-Origin-Resource-Policy': filesUrl ? 'same-site' : 'same-origin',
      'Content-Disposition': contentDisposition(form === 'download' ? 'attachment' : 'inline', attachment.fileName),
      'Accept-Ranges': 'bytes',
      'Content-Length': String(length),
      ...(range ? { 'Content-Range': `bytes ${range.from}-${range.to}/${size}` } : {}),
    },
    body: null,
    takeOver(response) {
      // a store that fails now can only break the answer off
      if (!file) return;
      // whoever has left meanwhile takes nothing: then nobody else closes the file, and Node ends the process for it
      file
        .to(response)
        .catch(() => response.destroy())
        .finally(() => file.close());
    },
  };
}

/** One range (RFC 9110, 14.1.2), or null for the whole. Several at once, and none that the file has, are 416. */
function oneRange(header: string | undefined, size: number): { from: number; to: number } | null {
  if (header === undefined || !/^bytes=/i.test(header)) return null;
  const [, first, last] = /^bytes=(\d{0,15})-(\d{0,15})$/i.exec(header) ?? [];
  if (first === undefined || last === undefined || (first === '' && last === '')) throw notSatisfiable();
  const from = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const to = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (from > to || from >= size) throw notSatisfiable();
  return { from, to };
}

function notSatisfiable(): AppError {
  return new AppError(416, 'range_not_satisfiable', 'One range of the file can be asked for at a time.');
}
