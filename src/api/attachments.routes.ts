import { type Person, signedIn } from '../identity/index.ts';
import { attachmentView, findAttachment, type Messaging } from '../messaging/index.ts';
import type { Scope } from '../platform/database/index.ts';
import { Invalid } from '../platform/errors/index.ts';
import { type Route, route } from '../platform/http/index.ts';
import { AttachmentPath, AttachmentReply } from './attachment.schema.ts';
import { ConversationPath } from './fields.schema.ts';
import { reply } from './json-reply.ts';
import { receiveFiles } from './receive-files.ts';

/** Sending files, and asking what became of them. */
export function attachmentRoutes({ messaging }: { readonly messaging: Messaging }): Route[] {
  const { links } = messaging.files;
  return [
    route({
      name: 'api.attachments.upload',
      method: 'POST',
      path: '/api/support/conversations/:id/attachments',
      policy: signedIn(),
      face: 'json',
      needsEm: false,
      bodyKind: 'multipart',
      params: ConversationPath,
      reply: AttachmentReply,
      summary: 'Uploads one file (multipart: file, clientId): 201, or 200 with what the same clientId brought before.',
      async handle(scope: Scope<Person>, { params, ctx }) {
        const form = { conversationId: params.id, maxFiles: 1, fields: [] };
        const { kept } = await receiveFiles(scope, messaging, ctx.req, form);
        const [uploaded] = kept;
        if (!uploaded) throw new Invalid({ file: 'required' });
        const { attachment, isNew } = uploaded;
        return reply(AttachmentReply, { attachment: attachmentView(attachment, links) }, isNew ? 201 : 200);
      },
    }),
    route({
      name: 'api.attachments.show',
      method: 'GET',
      path: '/api/support/attachments/:id',
      policy: signedIn(),
      face: 'json',
      params: AttachmentPath,
      reply: AttachmentReply,
      summary: 'One file: its state, and a fresh address when it is ready.',
      async handle(scope: Scope<Person>, { params }) {
        return reply(AttachmentReply, { attachment: attachmentView(await findAttachment(scope, params.id), links) });
      },
    }),
    // each keeps its own input types; together they are doors
  ] as Route[];
}
