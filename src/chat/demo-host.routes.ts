import { z } from 'zod';
import { anyone, DEMO_PEOPLE, type DemoPerson, type Identity, type Person } from '../identity/index.ts';
import { NotFound } from '../platform/errors/index.ts';
import { page, type Reply, type Route, route } from '../platform/http/index.ts';
import type { Views } from '../platform/views/index.ts';

/** What the demo's host app is made from. */
export interface DemoHostDeps {
  readonly views: Views;
  readonly identity: Pick<Identity, 'demoHostToken'>;
}

/** Where it stands; on the other name of this machine. */
export const DEMO_HOST_PATH = '/demo/host';

const AnyOf = z.strictObject({ handle: z.string().max(60) });

/**
 * A page of a host app, for trying out the entry. It is on this server, but under this machine's other name
 * (`localhost` instead of `127.0.0.1`), which makes it another site for the browser: what works here works elsewhere.
 */
export function demoHostRoutes({ views, identity }: DemoHostDeps): Route<Person>[] {
  return [
    route<Person, unknown, { as: string }>({
      name: 'demo.host.page',
      method: 'GET',
      path: DEMO_HOST_PATH,
      policy: anyone(),
      needsEm: false,
      face: 'page',
      query: z.object({ as: z.string().max(60).default('rahim') }),
      async handle(_scope, { query, ctx, reader }): Promise<Reply> {
        const chat = otherName(ctx.req.headers.host);
        const person = hostPeople().find(({ handle }) => handle === query.as);
        if (!chat || !person) throw new NotFound();
        const policy = hostPolicy(chat);
        const view = { person, people: hostPeople(), chat, policy, token: await identity.demoHostToken(person.handle) };
        const headers = { 'Content-Security-Policy': policy.join('; ') };
        return page(views.for(reader).page('/demo/host', { host: view }), 200, headers);
      },
    }),

    route<Person, z.infer<typeof AnyOf>>({
      name: 'demo.host.token',
      method: 'POST',
      path: '/demo/host/:handle/token',
      policy: anyone(),
      needsEm: false,
      face: 'page',
      params: AnyOf,
      bodyKind: 'none',
      async handle(_scope, { params }): Promise<Reply> {
        return { status: 200, type: 'text/plain; charset=utf-8', body: await identity.demoHostToken(params.handle) };
      },
    }),
  ] as Route<Person>[]; // a list forgets the types that `route` has checked
}

/** This server's origin under this machine's other name; null where it is called by neither. */
export function otherName(host: string | undefined): string | null {
  const [, name, port] = /^(localhost|127\.0\.0\.1)(:\d+)?$/.exec(host ?? '') ?? [];
  return name === undefined ? null : `http://${name === 'localhost' ? '127.0.0.1' : 'localhost'}${port ?? ''}`;
}

/** The strictest policy with which the entry works: the chat's script, frame and form, and nothing inline. */
function hostPolicy(chat: string): string[] {
  return [
    "default-src 'none'",
    `script-src 'self' ${chat}`,
    `frame-src ${chat}`,
    `form-action 'self' ${chat}`,
    "connect-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "require-trusted-types-for 'script'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ];
}

function hostPeople(): DemoPerson[] {
  return DEMO_PEOPLE.filter((person) => person.tenantSlug === 'safego' && person.userType !== 'admin');
}
