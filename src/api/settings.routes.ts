import { z } from 'zod';
import { admins, type Person } from '../identity/index.ts';
import type { Scope } from '../platform/database/index.ts';
import { type Route, route } from '../platform/http/index.ts';
import { loadSupportSettings, SupportSettings, saveSupportSettings, type Tenancy } from '../tenancy/index.ts';
import { reply } from './json-reply.ts';

/** The tab's settings and the version to save against; 0 until they were first saved. */
const SettingsBody = z.strictObject({ version: z.int().min(0), settings: SupportSettings });

/** Settings of the tenant, tab Support. */
export function settingsRoutes({ tenancy }: { readonly tenancy: Pick<Tenancy, 'refresh'> }): Route[] {
  return [
    route({
      name: 'api.settings.show',
      method: 'GET',
      path: '/api/admin/support/settings',
      policy: admins('MANAGE_SUPPORT_SETTINGS'),
      face: 'json',
      reply: SettingsBody,
      summary: 'The settings of support, with their version.',
      async handle(scope: Scope<Person>) {
        return reply(SettingsBody, await loadSupportSettings(scope));
      },
    }),
    route({
      name: 'api.settings.save',
      method: 'PUT',
      path: '/api/admin/support/settings',
      policy: admins('MANAGE_SUPPORT_SETTINGS'),
      face: 'json',
      body: SettingsBody,
      reply: SettingsBody,
      summary: 'Replaces the settings; 409 when their version has moved.',
      async handle(scope: Scope<Person>, { body }) {
        const version = await saveSupportSettings(scope, body.settings, body.version);
        await tenancy.refresh();
        return reply(SettingsBody, { settings: body.settings, version });
      },
    }),
    // each keeps its own input types; together they are doors
  ] as Route[];
}
