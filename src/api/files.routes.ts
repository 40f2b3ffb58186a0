import type { IncomingHttpHeaders } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { anyone, isPerson, type Person, signedIn } from '../identity/index.ts';
import {
  attachmentView,
  contentDisposition,
  FILE_FORMS,
  findAttachment,
  MAX_ATTACHMENTS,
  type Messaging,
  type OpenedAttachment,
  openAttachment,
  pageLinks,
  postMessage,
} from '../messaging/index.ts';
import type { Scope } from '../platform/database/index.ts';
import { AppError, NotFound, NotSignedIn } from '../platform/errors/index.ts';
import { fragment, type Reply, type Route, route, seeOther } from '../platform/http/index.ts';
import type { Views } from '../platform/views/index.ts';
import { ConversationPath, Uuid } from './fields.schema.ts';
import { receiveFiles } from './receive-files.ts';

/** What these doors are made from. */
export interface FileDeps {
  readonly messaging: Messaging;
  readonly views: Views;
  /** A second origin for files, where no cookie of ours goes; there the address stands for itself. */
  readonly filesUrl?: URL | undefined;
}

/** The bytes of files, behind signed addresses, and the door that signs for pages. */
export function fileRoutes({ messaging, views, filesUrl }: FileDeps): Route[] {
  const { links } = messaging.files;
  return [
    // a page's script sends one file at a time and gets its piece of the form; a plain form sends all and has sent them
    route({
      name: 'files.attach',
      method: 'POST',
      path: '/conversations/:id/attachments',
      policy: signedIn(),
      face: 'page',
      bodyKind: 'multipart',
      params: ConversationPath,
      async handle(scope: Scope<Person>, input) {
        const { id: conversationId } = input.params;
        const form = { conversationId, maxFiles: input.isFragment ? 1 : MAX_ATTACHMENTS, fields: ['to'] };
        const { kept, fields, clientId } = await receiveFiles(scope, messaging, input.ctx.req, form);
        const [first] = kept;
        if (input.isFragment && first) {
          const file = attachmentView(first.attachment, pageLinks);
          return fragment(views.for(input.reader).partial('/messaging/_attached', { file }));
        }
        const attachmentIds = kept.map(({ attachment }) => attachment.id);
        await postMessage(scope, messaging, { conversationId, body: '', clientId, attachmentIds });
        return seeOther(fields['to'] ?? '/');
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
        const { id: attachmentId, tenantId, conversationId, state } = await findAttachment(scope, params.id);
        if (state !== 'ready') throw new NotFound();
        const Location = links.url({ tenantId, conversationId, attachmentId, form: params.form });
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
        return bytes(messaging, opened, ticket.form, ctx.req.headers, filesUrl);
      },
    }),
    // each keeps its own input types; together they are doors
  ] as Route[];
}

/** The whole file or one range of it, with headers under which nothing of it runs (T-AT4, T-AT9, T-AT10). */
function bytes(
  { files: { storage } }: Messaging,
  { path, size, mediaType, attachment }: OpenedAttachment,
  form: (typeof FILE_FORMS)[number],
  headers: IncomingHttpHeaders,
  filesUrl: URL | undefined,
): Reply {
  // there is nothing that a condition could name: no validator is ever sent
  const range = headers['if-range'] === undefined ? oneRange(headers.range, size) : null;
  const length = range ? range.to - range.from + 1 : size;
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
      // the head is out: a store that fails now can only break the answer off
      storage
        .open(path, range ?? undefined)
        .then((stream) => pipeline(stream, response))
        .catch(() => response.destroy());
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
