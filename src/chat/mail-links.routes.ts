import { z } from 'zod';
import { anyone, isPerson, type Person } from '../identity/index.ts';
import type { Actor, Scope } from '../platform/database/index.ts';
import { NotFound, UnsupportedType } from '../platform/errors/index.ts';
import { page, type Reply, type Route, route, seeOther } from '../platform/http/index.ts';
import type { Reader } from '../platform/views/index.ts';
import { chooseMail, readChoices, type StopTicket } from '../reach/index.ts';
import { systemActor } from '../tenancy/index.ts';
import type { ChatDeps } from './chat-deps.ts';
import { conversationPath } from './paths.ts';

const Token = z.strictObject({ token: z.string().max(200) });
const Wish = z.strictObject({ want: z.enum(['on', 'off']) });

/**
 * Of these addresses nothing but the origin goes on to anybody. Not `no-referrer`: with it browsers send `Origin: null`
 * with our own forms.
 */
const SECRET_ADDRESS = { 'Referrer-Policy': 'strict-origin' };

/**
 * Where links in mails lead. A GET changes nothing, because scanners follow links before their readers do: the button of
 * the page does.
 */
export function mailLinkRoutes(deps: ChatDeps): Route<Person>[] {
  return [...enterRoutes(deps), ...stopRoutes(deps)];
}

function enterRoutes(deps: ChatDeps): Route<Person>[] {
  const { identity, views } = deps;
  const spent = (reader: Reader): Reply =>
    page(views.for(reader).page('/chat/mail-link', { link: null }), 404, SECRET_ADDRESS);
  return [
    route<Person, z.infer<typeof Token>>({
      name: 'chat.mail-link.show',
      method: 'GET',
      path: '/enter/:token',
      policy: anyone(),
      needsEm: false,
      face: 'page',
      params: Token,
      async handle({ actor }, { params, reader }) {
        const link = await identity.signInLinks.find(params.token);
        if (!link) return spent(reader);
        const isThem = isPerson(actor) && actor.id === link.user.id;
        if (isThem) return seeOther(conversationPath(link.user.userType, link.conversationId));
        if (!link.isAlive) return spent(reader);
        const tenant = await deps.tenancy.byId(link.tenant.id);
        const view = {
          action: `/enter/${params.token}`,
          tenant: tenant?.name ?? '',
          // somebody who is signed in here knows their own name; of the link's person nothing is said
          other: isPerson(actor) ? (actor as Person).name : null,
        };
        return page(views.for(reader).page('/chat/mail-link', { link: view }), 200, SECRET_ADDRESS);
      },
    }),

    route<Person, z.infer<typeof Token>>({
      name: 'chat.mail-link.sign-in',
      method: 'POST',
      path: '/enter/:token',
      policy: anyone(),
      needsEm: false,
      face: 'page',
      params: Token,
      bodyKind: 'form',
      async handle({ actor }, { params, reader }) {
        const before: Actor = actor;
        try {
          const signedIn = await identity.signInLinks.spend(params.token);
          if (isPerson(before)) {
            if (before.id === signedIn.user.id) await deps.keepDevices(before, signedIn);
            await identity.signOut(before);
          }
          return seeOther(conversationPath(signedIn.user.userType, signedIn.conversationId), {
            'Set-Cookie': [identity.cookie.set(signedIn.token, signedIn.expiresAt)],
          });
        } catch (error) {
          if (!(error instanceof NotFound)) throw error;
          return spent(reader);
        }
      },
    }),
  ] as Route<Person>[]; // a list forgets the types that `route` has checked
}

function stopRoutes(deps: ChatDeps): Route<Person>[] {
  const { views, stopLinks, messaging, tenancy } = deps;

  async function inTheirScope<T>({ tenantId }: StopTicket, work: (scope: Scope) => Promise<T>): Promise<T> {
    const tenant = await tenancy.byId(tenantId);
    if (!tenant) throw new NotFound();
    return messaging.database.withScope(tenant, systemActor(tenantId), work);
  }

  async function show(token: string, ticket: StopTicket, reader: Reader, isDone: boolean): Promise<Reply> {
    const { wantsMail } = await inTheirScope(ticket, (scope) => readChoices(scope, ticket.userId));
    const name = (await tenancy.byId(ticket.tenantId))?.name ?? '';
    const stop = { action: `/unsubscribe/${token}/choice`, tenant: name, wantsMail, isDone };
    return page(views.for(reader).page('/chat/mail-stop', { stop }), 200, SECRET_ADDRESS);
  }

  function ticketOf(token: string): StopTicket {
    const ticket = stopLinks.read(token);
    if (!ticket) throw new NotFound();
    return ticket;
  }

  const choose = (ticket: StopTicket, wantsMail: boolean) =>
    inTheirScope(ticket, (scope) => chooseMail(scope, ticket.userId, wantsMail));

  return [
    route<Person, z.infer<typeof Token>>({
      name: 'chat.mail-stop.show',
      method: 'GET',
      path: '/unsubscribe/:token',
      policy: anyone(),
      needsEm: false,
      readsSession: false,
      face: 'page',
      params: Token,
      handle: (_scope, { params, reader }) => show(params.token, ticketOf(params.token), reader, false),
    }),

    route<Person, z.infer<typeof Token>>({
      name: 'chat.mail-stop.one-click',
      method: 'POST',
      path: '/unsubscribe/:token',
      policy: anyone(),
      needsEm: false,
      readsSession: false,
      face: 'page',
      params: Token,
      // RFC 8058: a mail program posts `List-Unsubscribe=One-Click` in either kind of form, without cookies; that it
      // posts here says it all
      bodyKind: 'multipart',
      async handle(_scope, { params, reader, ctx }) {
        const type = ctx.req.headers['content-type'] ?? '';
        if (!/^(multipart\/form-data|application\/x-www-form-urlencoded)\b/i.test(type)) throw new UnsupportedType();
        const ticket = ticketOf(params.token);
        await choose(ticket, false);
        return show(params.token, ticket, reader, true);
      },
    }),

    route<Person, z.infer<typeof Token>, unknown, z.infer<typeof Wish>>({
      name: 'chat.mail-stop.choose',
      method: 'POST',
      path: '/unsubscribe/:token/choice',
      policy: anyone(),
      needsEm: false,
      readsSession: false,
      face: 'page',
      params: Token,
      bodyKind: 'form',
      body: Wish,
      async handle(_scope, { params, body, reader }) {
        const ticket = ticketOf(params.token);
        await choose(ticket, body.want === 'on');
        return show(params.token, ticket, reader, true);
      },
    }),
  ] as Route<Person>[]; // a list forgets the types that `route` has checked
}
