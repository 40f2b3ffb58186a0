import { afterAll, beforeAll, expect, test } from 'vitest';
import { newId } from '../../src/platform/text/index.ts';
import type { Handle, TestTenant } from '../support/people.ts';
import { type RunningApp, startApp } from '../support/running-app.ts';
import { prepare, slotsOf } from '../tenancy/slots.ts';

/** Every door of the admins, asked by every role, by a user and by nobody (T-RB1). */

let app: RunningApp;
let tenant: TestTenant;

beforeAll(async () => {
  app = await startApp();
  tenant = await app.newTenant();
});
afterAll(() => app?.stop());

/** From the least to the most: each may what those before it may. */
const ROLES: readonly Handle[] = ['viewer', 'agent', 'lead', 'owner'];

/** From whom on a door opens; written by hand from the contract's table of capabilities, the first line that fits holds. */
const OPENS: readonly (readonly [door: RegExp, from: Handle])[] = [
  // what every desk shows
  [/^GET \/admin\/support-chat(\/rows|\/:id)?$/, 'viewer'],
  [/^POST \/admin\/support-chat\/(intro|:id\/read|:id\/mentions)$/, 'viewer'],
  [/^GET \/admin\/(drivers|customers|restaurants)\/:id$/, 'viewer'],
  [/^GET \/api\/admin\/support\/(conversations|conversations\/:id\/(decisions|notes)|due)$/, 'viewer'],
  // answering, and what goes with it
  [/^GET \/admin\/support-chat\/(colleagues|:id\/saved-replies)$/, 'agent'],
  [/^POST \/admin\/support-chat\/:id\/(messages|notes|edit|delete|reactions|assign|close|reopen)$/, 'agent'],
  [/^POST \/admin\/availability$/, 'agent'],
  [/^(GET|PUT) \/api\/admin\/support\/availability$/, 'agent'],
  [/^POST \/api\/admin\/support\/conversations\/:id\/(notes|assign|close|reopen)$/, 'agent'],
  // leading
  [/^(GET|POST) \/admin\/saved-replies(\/|$)/, 'lead'],
  [/^(GET|POST) \/admin\/support-reports(\/|$)/, 'lead'],
  [/^GET \/admin\/audit-log(\/|$)/, 'lead'],
  // owning
  [/^(GET|POST) \/admin\/(settings|roles|privacy)(\/|$)/, 'owner'],
  [/^(GET|PUT) \/api\/admin\/support\/settings$/, 'owner'],
];

test('each door of the admins opens for the roles of the contract, and for nobody else', {
  timeout: 120_000,
}, async () => {
  const doors = app.routes.filter(
    (route) => /^\/(api\/)?admin(\/|$)/.test(route.path) && route.policy.name.startsWith('admin'),
  );
  // the table is about what there is: all of it
  expect(doors.length).toBeGreaterThan(40);
  const askers = await Promise.all(
    [...ROLES, 'rahim' as const].map(async (handle) => ({
      handle,
      cookie: (await tenant.signIn(handle, 'browser')).cookie,
    })),
  );
  for (const route of doors) {
    const door = `${route.method} ${route.path}`;
    const from = OPENS.find(([pattern]) => pattern.test(door))?.[1];
    if (!from) throw new Error(`${door} is not in the table`);
    const { slots } = slotsOf(route);
    const request = prepare(route, Object.fromEntries(slots.map((slot) => [`${slot.where}.${slot.name}`, newId()])));
    const ask = async (headers: Record<string, string>) => {
      const isForm = request.kind === 'form';
      const fields = Object.entries(request.body ?? {}).map(
        ([name, value]) => [name, String(value)] as [string, string],
      );
      const reply = await fetch(app.base + request.path, {
        method: route.method,
        redirect: 'manual',
        headers: {
          ...headers,
          'sec-fetch-site': 'same-origin',
          'content-type': isForm ? 'application/x-www-form-urlencoded' : 'application/json',
        },
        ...(route.method !== 'GET' && {
          body: isForm ? new URLSearchParams(fields).toString() : JSON.stringify(request.body ?? {}),
        }),
      });
      await reply.body?.cancel();
      return reply.status;
    };
    for (const { handle, cookie } of askers) {
      const status = await ask(cookie);
      const isOpen = ROLES.includes(handle) && ROLES.indexOf(handle) >= ROLES.indexOf(from);
      // whoever may gets to what is behind: nothing there by these ids, or nothing wrong
      expect([door, handle, status === 403 || status === 401]).toEqual([door, handle, !isOpen]);
      expect([door, handle, status < 500]).toEqual([door, handle, true]);
    }
    const stranger = await ask({});
    expect([door, 'nobody', [303, 401, 403].includes(stranger)]).toEqual([door, 'nobody', true]);
  }
});
