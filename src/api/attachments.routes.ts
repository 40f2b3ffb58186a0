import { z } from 'zod';
import { type Person, signedIn, users } from '../identity/index.ts';
import { attachmentView, findAttachment, type Live, type Messaging, receiveForm } from '../messaging/index.ts';
import type { Scope } from '../platform/database/index.ts';
import { Invalid } from '../platform/errors/index.ts';
import { type Reply, type Route, type RouteInput, route } from '../platform/http/index.ts';
import { AttachmentPath, AttachmentReply } from './attachment.schema.ts';
import { tellChecked, tellChecking } from './checked-files.ts';
import { ConversationPath } from './fields.schema.ts';
import { reply } from './json-reply.ts';

/** What comes with a file. Its absence is told by the name of the field. */
const Sent = z.strictObject({ clientId: z.string().optional() });

interface Deps {
  readonly messaging: Messaging;
  readonly live: Pick<Live, 'checking'>;
}

/** Sending files, and asking what became of them. */
export function attachmentRoutes(deps: Deps): Route[] {
  const { live } = deps;
  const { links } = deps.messaging.files;
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
      handle: (scope: Scope<Person>, input) => upload(deps, scope, input, input.params.id),
    }),
    route({
      name: 'api.attachments.upload-first',
      method: 'POST',
      path: '/api/support/attachments',
      policy: users(),
      face: 'json',
      needsEm: false,
      bodyKind: 'multipart',
      reply: AttachmentReply,
      summary: 'The same for the message that will open a conversation: its id goes into attachmentIds of the start.',
      handle: (scope: Scope<Person>, input) => upload(deps, scope, input, null),
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
        const found = await findAttachment(scope, params.id);
        await tellChecked(scope, live, found);
        return reply(AttachmentReply, { attachment: attachmentView(found, links) });
      },
    }),
    // each keeps its own input types; together they are doors
  ] as Route[];
}

async function upload(
  { messaging, live }: Deps,
  scope: Scope<Person>,
  { ctx }: Pick<RouteInput<unknown, unknown, unknown>, 'ctx'>,
  conversationId: string | null,
): Promise<Reply> {
  const form = { conversationId, maxFiles: 1, needsFile: true, schema: Sent };
  const { kept, error } = await receiveForm(scope, messaging, ctx.req, form);
  if (error) throw error;
  const [uploaded] = kept;
  if (!uploaded) throw new Invalid({ file: 'required' });
  tellChecking(scope.actor, live, uploaded.attachment);
  const attachment = attachmentView(uploaded.attachment, messaging.files.links);
  return reply(AttachmentReply, { attachment }, uploaded.isNew ? 201 : 200);
}
