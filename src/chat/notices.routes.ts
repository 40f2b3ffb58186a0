import { z } from 'zod';
import { type Person, users } from '../identity/index.ts';
import { fragment, noContent, page, type Route, type RouteInput, route, seeOther } from '../platform/http/index.ts';
import { addDevice, chooseMail, declinePush, readChoices, removeAllDevices, removeDevice } from '../reach/index.ts';
import type { ChatDeps } from './chat-deps.ts';
import { noticesPage } from './notices-page.ts';
import { noticesPath } from './paths.ts';
import { showUser } from './show-user.ts';

const UserPath = z.strictObject({ userType: z.string() });

/** What the forms of the page change. */
const Choice = z.strictObject({ what: z.enum(['mail-on', 'mail-off', 'push-off', 'push-no']) });

/** A browser's subscription as its page or its service worker posts it. */
const Device = z.strictObject({
  endpoint: z.string().min(1).max(1_000),
  p256dh: z.string().max(200),
  auth: z.string().max(100),
});

const Saved = z.object({ saved: z.string().max(1).optional() });

/** How somebody is told of answers while they are away: push on this browser, mail. Switching off works without a script. */
export function noticeRoutes(deps: ChatDeps): Route<Person>[] {
  return [
    route<Person, z.infer<typeof UserPath>, z.infer<typeof Saved>>({
      name: 'chat.notices.show',
      method: 'GET',
      path: '/:userType/support/notices',
      policy: users(),
      face: 'page',
      params: UserPath,
      query: Saved,
      async handle(scope, input) {
        const show = showUser(deps, scope, input);
        return page(show.page('/chat/notices', await noticesPage(deps, scope, input.query.saved === '1')));
      },
    }),

    route<Person, z.infer<typeof UserPath>>({
      name: 'chat.notices.offer',
      method: 'GET',
      path: '/:userType/support/notices/offer',
      policy: users(),
      face: 'page',
      params: UserPath,
      async handle(scope, input) {
        const show = showUser(deps, scope, input);
        const { mayOfferPush } = await readChoices(scope, scope.actor.id);
        return fragment(
          show.partial('/chat/_push-offer', {
            offer: {
              key: deps.push.publicKey,
              mayAsk: mayOfferPush,
              action: noticesPath(scope.actor.userType),
            },
          }),
        );
      },
    }),

    route<Person, z.infer<typeof UserPath>, unknown, z.infer<typeof Choice>>({
      name: 'chat.notices.choose',
      method: 'POST',
      path: '/:userType/support/notices',
      policy: users(),
      face: 'page',
      params: UserPath,
      bodyKind: 'form',
      body: Choice,
      async handle(scope, input) {
        showUser(deps, scope, input);
        const { what } = input.body;
        if (what === 'push-no') await declinePush(scope);
        else if (what === 'push-off') await removeAllDevices(scope);
        else await chooseMail(scope, scope.actor.id, what === 'mail-on');
        return input.isFragment ? noContent() : seeOther(`${noticesPath(scope.actor.userType)}?saved=1`);
      },
    }),

    route<Person, unknown, unknown, z.infer<typeof Device>>({
      name: 'chat.devices.add',
      method: 'POST',
      path: '/notices/device',
      policy: users(),
      face: 'page',
      bodyKind: 'form',
      body: Device,
      async handle(scope, { body, reader }: RouteInput<unknown, unknown, z.infer<typeof Device>>) {
        await addDevice(scope, deps.push, body, reader.language);
        return noContent();
      },
    }),

    route<Person, unknown, unknown, { endpoint: string }>({
      name: 'chat.devices.remove',
      method: 'POST',
      path: '/notices/device/remove',
      policy: users(),
      face: 'page',
      bodyKind: 'form',
      body: Device.pick({ endpoint: true }),
      async handle(scope, { body }) {
        await removeDevice(scope, body.endpoint);
        return noContent();
      },
    }),
  ] as Route<Person>[]; // a list forgets the types that `route` has checked
}
