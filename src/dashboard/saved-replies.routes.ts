import { z } from 'zod';
import {
  changeSavedReply,
  conversationNumber,
  createSavedReply,
  deleteSavedReply,
  filledReply,
  findSavedReplies,
  listSavedReplies,
  readSavedReply,
} from '../desk/index.ts';
import { admins, type Person } from '../identity/index.ts';
import { accessConversation, MAX_MESSAGE_LENGTH } from '../messaging/index.ts';
import type { Scope } from '../platform/database/index.ts';
import { Invalid } from '../platform/errors/index.ts';
import { fragment, page, type Reply, type Route, type RouteInput, route, seeOther } from '../platform/http/index.ts';
import type { Show } from '../platform/views/index.ts';
import { type DashboardDeps, deskReader, deskShell } from './dashboard-deps.ts';
import { ConversationPath } from './desk.input.ts';
import { nameOfOpener } from './desk-page.ts';

const REPLIES = '/admin/saved-replies';
const PER_PAGE = 50;
/** As many as fit above the field. */
const SHOWN_WHILE_TYPING = 8;

const ReplyPath = z.strictObject({ id: z.uuid() });
const ListQuery = z.strictObject({
  after: z
    .string()
    .regex(/^[a-z0-9-]{1,40}$/)
    .optional(),
});
const FindQuery = z.strictObject({ q: z.string().max(100).default('') });
/** Longer than any of them may be: the use case says so in a sentence. */
const ReplyForm = z.strictObject({
  shortcut: z.string().max(200),
  title: z.string().max(1_000),
  body: z.string().max(20_000),
});

type Form = z.output<typeof ReplyForm>;
type Input = Pick<RouteInput<unknown, unknown, unknown>, 'reader'>;

/** `/admin/saved-replies`: the answers that are kept. And what the composer offers while `/` is being typed. */
export function savedReplyRoutes(deps: DashboardDeps): Route<Person>[] {
  return [
    route<Person, unknown, z.output<typeof ListQuery>>({
      name: 'dashboard.saved-replies.list',
      method: 'GET',
      path: REPLIES,
      policy: admins('MANAGE_SAVED_REPLIES'),
      face: 'page',
      query: ListQuery,
      async handle(scope, input) {
        const { items, next } = await listSavedReplies(scope, { after: input.query.after, limit: PER_PAGE });
        const show = deps.views.for(deskReader(deps, scope, input));
        return page(
          show.page('/dashboard/saved-replies', {
            ...deskShell(deps, scope, show, REPLIES),
            replies: items.map(({ id, shortcut, title, body }) => ({
              href: `${REPLIES}/${id}`,
              shortcut,
              title,
              body,
            })),
            nextHref: next && `${REPLIES}?after=${encodeURIComponent(next)}`,
          }),
        );
      },
    }),

    route<Person>({
      name: 'dashboard.saved-replies.new',
      method: 'GET',
      path: `${REPLIES}/new`,
      policy: admins('MANAGE_SAVED_REPLIES'),
      face: 'page',
      handle: (scope, input) => formPage(deps, scope, input, { id: null, form: { shortcut: '', title: '', body: '' } }),
    }),

    route<Person, z.output<typeof ReplyPath>>({
      name: 'dashboard.saved-replies.edit',
      method: 'GET',
      path: `${REPLIES}/:id`,
      policy: admins('MANAGE_SAVED_REPLIES'),
      face: 'page',
      params: ReplyPath,
      async handle(scope, input) {
        const { id, shortcut, title, body } = await readSavedReply(scope, input.params.id);
        return formPage(deps, scope, input, { id, form: { shortcut, title, body } });
      },
    }),

    route<Person, unknown, unknown, Form>({
      name: 'dashboard.saved-replies.create',
      method: 'POST',
      path: REPLIES,
      policy: admins('MANAGE_SAVED_REPLIES'),
      face: 'page',
      bodyKind: 'form',
      body: ReplyForm,
      handle: (scope, input) =>
        savedOrShown(deps, scope, input, { id: null, form: input.body }, () => createSavedReply(scope, input.body)),
    }),

    route<Person, z.output<typeof ReplyPath>, unknown, Form>({
      name: 'dashboard.saved-replies.change',
      method: 'POST',
      path: `${REPLIES}/:id`,
      policy: admins('MANAGE_SAVED_REPLIES'),
      face: 'page',
      bodyKind: 'form',
      params: ReplyPath,
      body: ReplyForm,
      async handle(scope, input) {
        const { id } = await readSavedReply(scope, input.params.id);
        return savedOrShown(deps, scope, input, { id, form: input.body }, () =>
          changeSavedReply(scope, id, input.body),
        );
      },
    }),

    route<Person, z.output<typeof ReplyPath>>({
      name: 'dashboard.saved-replies.delete',
      method: 'POST',
      path: `${REPLIES}/:id/delete`,
      policy: admins('MANAGE_SAVED_REPLIES'),
      face: 'page',
      bodyKind: 'form',
      params: ReplyPath,
      body: z.strictObject({}),
      async handle(scope, { params }) {
        await deleteSavedReply(scope, params.id);
        return seeOther(REPLIES);
      },
    }),

    route<Person, z.output<typeof ConversationPath>, z.output<typeof FindQuery>>({
      name: 'dashboard.saved-replies.find',
      method: 'GET',
      path: '/admin/support-chat/:id/saved-replies',
      policy: admins('REPLY_SUPPORT_CHAT'),
      face: 'page',
      params: ConversationPath,
      query: FindQuery,
      async handle(scope, input) {
        const conversation = await accessConversation(scope, input.params.id);
        const values = {
          customer: await nameOfOpener(scope, conversation),
          agent: scope.actor.name,
          conversation: conversationNumber(conversation.id),
        };
        const found = await findSavedReplies(scope, input.query.q, SHOWN_WHILE_TYPING);
        const replies = found.map(({ id, shortcut, title, body }) => ({
          id,
          shortcut,
          title,
          text: filledReply(body, values),
        }));
        const canManage = scope.actor.can('MANAGE_SAVED_REPLIES');
        return fragment(deps.views.for(input.reader).partial('/dashboard/_replies', { replies, canManage }));
      },
    }),
  ] as Route<Person>[]; // a list forgets the types that `route` has checked
}

interface Shown {
  /** Null: it is a new one. */
  readonly id: string | null;
  readonly form: Form;
}

/** Back to the list; or the form again, as it was typed, with what is wrong beside each field. */
async function savedOrShown(
  deps: DashboardDeps,
  scope: Scope<Person>,
  input: Input,
  shown: Shown,
  save: () => Promise<unknown>,
): Promise<Reply> {
  try {
    await save();
    return seeOther(REPLIES);
  } catch (error) {
    if (!(error instanceof Invalid)) throw error;
    return formPage(deps, scope, input, shown, error.fields ?? {}, error.status);
  }
}

function formPage(
  deps: DashboardDeps,
  scope: Scope<Person>,
  input: Input,
  { id, form }: Shown,
  errors: Readonly<Record<string, string>> = {},
  status = 200,
): Reply {
  const show = deps.views.for(deskReader(deps, scope, input));
  const view = {
    id,
    form,
    errors: sentences(show, errors),
    action: id ? `${REPLIES}/${id}` : REPLIES,
    deleteAction: id && `${REPLIES}/${id}/delete`,
    listHref: REPLIES,
    maxLength: MAX_MESSAGE_LENGTH,
  };
  return page(show.page('/dashboard/saved-reply', { ...deskShell(deps, scope, show, REPLIES), ...view }), status);
}

function sentences(show: Show, errors: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(errors).map(([field, code]) => [field, show.t([`replies.error.${code}`, 'replies.error.other'])]),
  );
}
