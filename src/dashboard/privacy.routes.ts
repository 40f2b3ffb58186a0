import { Readable } from 'node:stream';
import { z } from 'zod';
import { countExpired, erasePerson, exportPerson, findSubjects, readSubject, setLegalHold } from '../desk/index.ts';
import { admins, type Person } from '../identity/index.ts';
import type { Scope } from '../platform/database/index.ts';
import { page, type Reply, type Route, type RouteInput, route, seeOther } from '../platform/http/index.ts';
import { type DashboardDeps, deskReader, deskShell } from './dashboard-deps.ts';

const PRIVACY = '/admin/privacy';
const PersonPath = z.strictObject({ id: z.uuid() });
const SearchQuery = z.object({
  q: z
    .string()
    .max(200)
    .refine((text) => !text.includes('\0') && text.isWellFormed(), { message: 'invalid' })
    .default(''),
  erased: z.string().max(1).default(''),
});
const HoldForm = z.strictObject({ hold: z.enum(['yes', 'no']) });
const EraseForm = z.strictObject({ confirm: z.string().max(300).default('') });
type Path = z.output<typeof PersonPath>;

/** `/admin/privacy`: what a person may ask for, and how long things are kept. */
export function privacyRoutes(deps: DashboardDeps): Route<Person>[] {
  const policy = admins('MANAGE_PRIVACY');
  return [
    route<Person, unknown, z.output<typeof SearchQuery>>({
      name: 'dashboard.privacy.search',
      method: 'GET',
      path: PRIVACY,
      policy,
      face: 'page',
      query: SearchQuery,
      async handle(scope, input) {
        const show = deps.views.for(deskReader(deps, scope, input));
        const { retentionDays } = deps.tenancy.tenant(scope.tenant.id).support;
        const privacy = {
          q: input.query.q,
          found: await findSubjects(scope, input.query.q),
          erased: input.query.erased === '1',
          retentionDays,
          due: await countExpired(scope, retentionDays, scope.now),
        };
        return page(show.page('/dashboard/privacy', { ...deskShell(deps, scope, show, PRIVACY), privacy }));
      },
    }),
    route<Person, Path>({
      name: 'dashboard.privacy.person',
      method: 'GET',
      path: `${PRIVACY}/persons/:id`,
      policy,
      face: 'page',
      params: PersonPath,
      handle: (scope, input) => personPage(deps, scope, input, null),
    }),
    route<Person, Path>({
      name: 'dashboard.privacy.export',
      method: 'POST',
      path: `${PRIVACY}/persons/:id/export`,
      policy,
      face: 'page',
      bodyKind: 'form',
      params: PersonPath,
      async handle(scope, { params }) {
        const { tenant, actor } = scope;
        const { database, files } = deps.messaging;
        const pieces = await exportPerson(
          scope,
          { storage: files.storage, inScope: (work) => database.withScope(tenant, actor, work) },
          params.id,
        );
        return {
          status: 200,
          type: 'application/json; charset=utf-8',
          body: Readable.from(pieces),
          headers: { 'Content-Disposition': `attachment; filename="person-${params.id}.json"` },
        };
      },
    }),
    route<Person, Path, unknown, z.output<typeof HoldForm>>({
      name: 'dashboard.privacy.hold',
      method: 'POST',
      path: `${PRIVACY}/persons/:id/hold`,
      policy,
      face: 'page',
      bodyKind: 'form',
      params: PersonPath,
      body: HoldForm,
      async handle(scope, { params, body }) {
        await setLegalHold(scope, params.id, body.hold === 'yes');
        return seeOther(`${PRIVACY}/persons/${params.id}`);
      },
    }),
    route<Person, Path, unknown, z.output<typeof EraseForm>>({
      name: 'dashboard.privacy.erase',
      method: 'POST',
      path: `${PRIVACY}/persons/:id/erase`,
      policy,
      face: 'page',
      bodyKind: 'form',
      params: PersonPath,
      body: EraseForm,
      async handle(scope, input) {
        const { hostId, isHeld } = await readSubject(scope, input.params.id);
        if (isHeld) return personPage(deps, scope, input, null, 409);
        if (input.body.confirm.trim() !== hostId) return personPage(deps, scope, input, input.body.confirm, 422);
        await erasePerson(scope, deps.messaging.files.storage, input.params.id);
        return seeOther(`${PRIVACY}?erased=1`);
      },
    }),
  ] as Route<Person>[]; // a list forgets the types that `route` has checked
}

/** One person, what is kept of them, and what can be done; `typed` is a confirmation that was not right. */
async function personPage(
  deps: DashboardDeps,
  scope: Scope<Person>,
  input: Pick<RouteInput<Path, unknown, unknown>, 'params' | 'reader'>,
  typed: string | null,
  status = 200,
): Promise<Reply> {
  const show = deps.views.for(deskReader(deps, scope, input));
  const subject = await readSubject(scope, input.params.id);
  const view = { ...deskShell(deps, scope, show, PRIVACY), subject, typed };
  return page(show.page('/dashboard/privacy-person', view), status);
}
