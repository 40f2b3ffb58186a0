import { z } from 'zod';
import { anyone, type Person } from '../identity/index.ts';
import { json, type Route, route } from '../platform/http/index.ts';
import type { ChatDeps } from './chat-deps.ts';
import { homePath, supportPath } from './paths.ts';

const UserType = z.strictObject({ userType: z.string().regex(/^[a-z][a-z0-9_-]{0,62}$/) });

/**
 * What a phone needs to put support on its home screen. Browsers ask for it without cookies, so it says nothing about
 * anybody: the same for every tenant, and there for every kind of user that a path could name.
 */
export function manifestRoutes({ views }: Pick<ChatDeps, 'views'>): Route<Person>[] {
  return [
    route<Person, z.infer<typeof UserType>>({
      name: 'chat.manifest',
      method: 'GET',
      path: '/:userType/app.webmanifest',
      policy: anyone(),
      needsEm: false,
      readsSession: false,
      face: 'page',
      params: UserType,
      handle(_scope, { params: { userType }, reader }) {
        const { t } = views.for(reader);
        const icon = (path: string, sizes: string, type: string, purpose = 'any') => {
          return { src: views.assets.url(path), sizes, type, purpose };
        };
        const manifest = {
          id: homePath(userType),
          name: t('shared.product'),
          short_name: t('chat.support'),
          lang: reader.language,
          dir: t('shared.direction'),
          start_url: supportPath(userType),
          scope: homePath(userType),
          display: 'standalone',
          background_color: '#f6f8f7',
          theme_color: '#0b6e4f',
          icons: [
            icon('icon.svg', 'any', 'image/svg+xml'),
            icon('icon-192.png', '192x192', 'image/png'),
            icon('icon-512.png', '512x512', 'image/png'),
            icon('icon-maskable.png', '512x512', 'image/png', 'maskable'),
          ],
        };
        return { ...json(manifest), type: 'application/manifest+json' };
      },
    }),
  ] as Route<Person>[]; // a list forgets the types that `route` has checked
}
