import { type Person, signedIn } from '../identity/index.ts';
import { admitUpload, attachmentView, findAttachment, keepFile, type Messaging, takeFile } from '../messaging/index.ts';
import type { Scope } from '../platform/database/index.ts';
import { Invalid } from '../platform/errors/index.ts';
import { type Route, readMultipart, route } from '../platform/http/index.ts';
import { AttachmentPath, AttachmentReply, UploadFields } from './attachment.schema.ts';
import { ConversationPath } from './fields.schema.ts';
import { reply } from './json-reply.ts';

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
        const permit = await admitUpload(scope, messaging, params.id);
        const form = { fileField: 'file', maxFiles: 1, fields: ['clientId'] };
        const { fields, files } = await readMultipart(
          ctx.req,
          form,
          (part) => takeFile(permit, messaging, part),
          async (taken) => taken?.staged.discard(),
        );
        const [file] = files;
        if (!file) throw new Invalid({ file: 'required' });
        try {
          const checked = UploadFields.safeParse(fields);
          if (!checked.success) throw new Invalid({ clientId: fields['clientId'] === undefined ? 'required' : 'uuid' });
          const clientId = checked.data.clientId.toLowerCase();
          const { attachment, isNew } = await keepFile(permit, messaging, file, clientId);
          return reply(AttachmentReply, { attachment: attachmentView(attachment, links) }, isNew ? 201 : 200);
        } finally {
          await file.staged.discard();
        }
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
