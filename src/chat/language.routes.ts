import { z } from 'zod';
import { anyone, FRAME_ATTRIBUTES, type Person } from '../identity/index.ts';
import { type Route, route, safeRedirect, seeOther } from '../platform/http/index.ts';

const Chosen = z.strictObject({ language: z.enum(['en', 'bn']), to: z.string().max(500).default('/') });
const A_YEAR = 31_536_000;

/** The language that somebody chooses on a page wins over their profile and their browser, here and for a year. */
export function languageRoutes(): Route<Person>[] {
  return [
    route<Person, unknown, unknown, z.infer<typeof Chosen>>({
      name: 'chat.language.choose',
      method: 'POST',
      path: '/language',
      policy: anyone(),
      needsEm: false,
      face: 'page',
      framed: true,
      bodyKind: 'form',
      body: Chosen,
      handle: (_scope, { body, frame }) =>
        seeOther(safeRedirect(body.to, '/'), {
          'Set-Cookie': `lang=${body.language}; Path=/; Max-Age=${A_YEAR}; HttpOnly; ${frame ? FRAME_ATTRIBUTES : 'SameSite=Lax'}`,
        }),
    }),
  ] as Route<Person>[]; // a list forgets the types that `route` has checked
}
