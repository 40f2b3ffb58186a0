import { z } from 'zod';
import { readAgentLanguages, setAgentLanguages } from '../desk/index.ts';
import {
  admins,
  changeRole,
  createRole,
  inviteAdmin,
  listAdminsWithRoles,
  listRoles,
  type Person,
  removeRole,
  renewPasswordLink,
  setAdminStatus,
  setRoles,
} from '../identity/index.ts';
import type { Scope } from '../platform/database/index.ts';
import { AppError, Invalid, NotFound } from '../platform/errors/index.ts';
import { page, type Reply, type Route, type RouteInput, route, seeOther } from '../platform/http/index.ts';
import { type DashboardDeps, deskReader, deskShell } from './dashboard-deps.ts';
import { type Refused, rolesView } from './roles.view.ts';

const ROLES = '/admin/roles';
const RolePath = z.strictObject({ role: z.string().max(100) });
const AdminPath = z.strictObject({ id: z.uuid() });
const text = z.string().max(1_000).default('');
const names = z.array(z.string().max(100)).max(200).default([]);
const RoleForm = z.strictObject({ label: text, capabilities: names });
const InviteForm = z.strictObject({ name: text, email: text, roles: names });
const AdminRolesForm = z.strictObject({ roles: names });
const LanguagesForm = z.strictObject({ languages: names });
const StatusForm = z.strictObject({ status: z.enum(['active', 'deactivated']) });
const Nothing = z.strictObject({});
const RolesQuery = z.object({ done: z.string().max(20).default('') });

/** `/admin/roles`: who may do what. Forms answer 303; what was refused is shown again, with the reason. */
export function rolesRoutes(deps: DashboardDeps): Route<Person>[] {
  const policy = admins('MANAGE_ROLES');
  return [
    route<Person, unknown, z.output<typeof RolesQuery>>({
      name: 'dashboard.roles.list',
      method: 'GET',
      path: ROLES,
      policy,
      face: 'page',
      query: RolesQuery,
      handle: (scope, input) => rolesPage(deps, scope, input, { done: input.query.done }),
    }),
    form<unknown, z.output<typeof RoleForm>>('dashboard.roles.create', ROLES, undefined, RoleForm, (scope, input) =>
      attempt(deps, scope, input, { form: 'new-role', typed: input.body }, async () => {
        await createRole(scope, input.body);
        return 'role';
      }),
    ),
    form<z.output<typeof RolePath>, z.output<typeof RoleForm>>(
      'dashboard.roles.save',
      `${ROLES}/named/:role`,
      RolePath,
      RoleForm,
      (scope, input) =>
        attempt(deps, scope, input, { form: `role-${input.params.role}`, typed: input.body }, async () => {
          await changeRole(scope, input.params.role, input.body);
          return 'role';
        }),
    ),
    form<z.output<typeof RolePath>, z.output<typeof Nothing>>(
      'dashboard.roles.remove',
      `${ROLES}/named/:role/remove`,
      RolePath,
      Nothing,
      (scope, input) =>
        attempt(deps, scope, input, { form: `role-${input.params.role}` }, async () => {
          await removeRole(scope, input.params.role);
          return 'removed';
        }),
    ),
    form<unknown, z.output<typeof InviteForm>>(
      'dashboard.roles.invite',
      `${ROLES}/people`,
      undefined,
      InviteForm,
      (scope, input) =>
        attempt(deps, scope, input, { form: 'invite', typed: input.body }, async () => {
          const { link } = await inviteAdmin(scope, { ...input.body, roles: chosen(input.body.roles) });
          return linkPage(deps, scope, input, link, input.body.name);
        }),
    ),
    form<z.output<typeof AdminPath>, z.output<typeof AdminRolesForm>>(
      'dashboard.roles.assign',
      `${ROLES}/people/:id`,
      AdminPath,
      AdminRolesForm,
      (scope, input) =>
        attempt(deps, scope, input, { form: `person-${input.params.id}`, typed: input.body }, async () => {
          await assign(scope, input.params.id, chosen(input.body.roles));
          return 'person';
        }),
    ),
    form<z.output<typeof AdminPath>, z.output<typeof LanguagesForm>>(
      'dashboard.roles.set-languages',
      `${ROLES}/people/:id/languages`,
      AdminPath,
      LanguagesForm,
      (scope, input) =>
        attempt(deps, scope, input, { form: `person-${input.params.id}` }, async () => {
          await setAgentLanguages(scope, input.params.id, chosen(input.body.languages));
          return 'person';
        }),
    ),
    form<z.output<typeof AdminPath>, z.output<typeof StatusForm>>(
      'dashboard.roles.set-status',
      `${ROLES}/people/:id/status`,
      AdminPath,
      StatusForm,
      (scope, input) =>
        attempt(deps, scope, input, { form: `person-${input.params.id}` }, async () => {
          await setAdminStatus(scope, input.params.id, input.body.status);
          return 'person';
        }),
    ),
    form<z.output<typeof AdminPath>, z.output<typeof Nothing>>(
      'dashboard.roles.renew-link',
      `${ROLES}/people/:id/link`,
      AdminPath,
      Nothing,
      (scope, input) =>
        attempt(deps, scope, input, { form: `person-${input.params.id}` }, async () => {
          const link = await renewPasswordLink(scope, input.params.id);
          return linkPage(deps, scope, input, link, '');
        }),
    ),
  ] as Route<Person>[]; // a list forgets the types that `route` has checked

  /** All of them post a form, and need the same right. */
  function form<P, B>(
    name: string,
    path: string,
    params: z.ZodType<P> | undefined,
    body: z.ZodType<B>,
    handle: (scope: Scope<Person>, input: RouteInput<P, unknown, B>) => Promise<Reply>,
  ): Route<Person, P, unknown, B> {
    const declared = { name, method: 'POST', path, policy, face: 'page', bodyKind: 'form', body, handle } as const;
    return route<Person, P, unknown, B>(params ? { ...declared, params } : declared);
  }
}

type Input = Pick<RouteInput<unknown, unknown, unknown>, 'reader' | 'ctx'>;

/** Does it and goes back to the page; what is refused is shown on the page, at its form. */
async function attempt(
  deps: DashboardDeps,
  scope: Scope<Person>,
  input: Input,
  asked: Pick<Refused, 'form' | 'typed'>,
  act: () => Promise<string | Reply>,
): Promise<Reply> {
  try {
    const done = await act();
    return typeof done === 'string' ? seeOther(`${ROLES}?done=${done}`) : done;
  } catch (error) {
    const isShown = error instanceof AppError && [403, 409, 422].includes(error.status) && error.code !== 'forbidden';
    if (!isShown) throw error;
    const code = Object.values(error.fields ?? {})[0] ?? error.code;
    // what the use case had begun is gone with its transaction; the page reads afresh
    scope.em.clear();
    return rolesPage(deps, scope, input, { refused: { ...asked, code } }, error.status);
  }
}

async function rolesPage(
  deps: DashboardDeps,
  scope: Scope<Person>,
  input: Input,
  state: { readonly done?: string; readonly refused?: Refused },
  status = 200,
): Promise<Reply> {
  const show = deps.views.for(deskReader(deps, scope, input));
  const roles = await listRoles(scope);
  const people = await listAdminsWithRoles(scope, roles);
  const languages = await readAgentLanguages(scope);
  const view = rolesView(show, scope.actor, { roles, people, languages, ...state });
  return page(show.page('/dashboard/roles', { ...deskShell(deps, scope, show, ROLES), board: view }), status);
}

/** Whoever is to have no role at all is deactivated: an empty form takes nothing away. */
async function assign(scope: Scope<Person>, userId: string, roles: readonly string[]): Promise<void> {
  if (roles.length > 0) return setRoles(scope, userId, roles);
  const people = await listAdminsWithRoles(scope, []);
  if (!people.some(({ id }) => id === userId)) throw new NotFound();
  throw new Invalid({ roles: 'roles' });
}

/** The one time that a password link is shown. */
function linkPage(deps: DashboardDeps, scope: Scope<Person>, input: Input, token: string, name: string): Reply {
  const show = deps.views.for(deskReader(deps, scope, input));
  const origin = deps.publicUrl?.origin ?? input.ctx.origin;
  const link = { url: `${origin}/admin/password/${token}`, name: name.trim() };
  return page(show.page('/dashboard/roles-link', { ...deskShell(deps, scope, show, ROLES), link }));
}

/** A form without any choice posts one empty one. */
function chosen(roles: readonly string[]): string[] {
  return roles.filter((name) => name !== '');
}
