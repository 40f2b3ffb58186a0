/**
 * Identity: users mirrored from their hosts, admins, sessions, roles and capabilities, and the policies of routes.
 *
 * Promises one `authenticate()` for every door, that what was taken away is gone on every node within a second (also
 * without a backplane), and that a host's token works once. Never links two people by their email, never lets a host
 * say what an admin may do, and never keeps a token or an open secret.
 */
export { allowDemoHost } from './demo/allow-demo-host.ts';
export { DEMO_PASSWORD, DEMO_PEOPLE, type DemoPerson } from './demo/demo-people.ts';
export { seedDemo } from './demo/seed-demo.ts';
export { createHostKey } from './host-keys/create-host-key.ts';
export { HostKey } from './host-keys/host-key.entity.ts';
export { createSealer } from './host-keys/sealed-secret.ts';
export { type HostStatement, hostTokenSigner } from './host-keys/sign-host-token.ts';
export { type Identity, openIdentity } from './identity.ts';
export { PasswordLink } from './passwords/password-link.entity.ts';
export { createPasswordLink } from './passwords/password-links.ts';
export { MAX_PASSWORD_LENGTH, MIN_PASSWORD_LENGTH } from './passwords/passwords.ts';
export { CAPABILITIES, type Capability, type HostContext, type Person } from './person.ts';
export { admins, anyone, isPerson, signedIn, users } from './policies.ts';
export { BUILTIN_ROLES, type BuiltinRoleName, createBuiltinRoles } from './roles/builtin-roles.ts';
export {
  type AdminOverview,
  inviteAdmin,
  listAdminsWithRoles,
  renewPasswordLink,
  setAdminStatus,
} from './roles/manage-admins.ts';
export { changeRole, createRole, listRoles, type RoleOverview, removeRole } from './roles/manage-roles.ts';
export { readCapabilities } from './roles/read-capabilities.ts';
export { Role, RoleAssignment } from './roles/role.entity.ts';
export { mayGrant, wouldLoseLastOwner } from './roles/role.policy.ts';
export { assignRoles, setRoles } from './roles/set-roles.ts';
export type { AccessChange } from './sessions/authentication.ts';
export { revokeAllOf, revokeSession, setUserStatus } from './sessions/change-access.ts';
export type { SignedIn } from './sessions/let-in.ts';
export { openSession } from './sessions/open-session.ts';
export type { SessionKind } from './sessions/session.entity.ts';
export { FRAME_ATTRIBUTES } from './sessions/session-cookie.ts';
export { createSignInLinks, type SignInLinks } from './sign-in-links/sign-in-links.ts';
export { forgetUser } from './users/forget-user.ts';
export { type KnownName, listAdmins, readNames, readSub } from './users/read-names.ts';
export { ADMIN, User } from './users/user.entity.ts';

import type { Job, Task } from '../platform/jobs/index.ts';
import { HostKey } from './host-keys/host-key.entity.ts';
import { PasswordLink } from './passwords/password-link.entity.ts';
import { Role, RoleAssignment } from './roles/role.entity.ts';
import { AccessChangeRecord, Session } from './sessions/session.entity.ts';
import { tenantCreateTask } from './tasks/tenant-create.task.ts';
import { tokenTask } from './tasks/token.task.ts';
import { User } from './users/user.entity.ts';

/** For src/entities.ts. */
export const identityEntities = [
  User,
  Role,
  RoleAssignment,
  Session,
  AccessChangeRecord,
  HostKey,
  PasswordLink,
] as const;

/** For `npm run task`. */
export const identityTasks: readonly Task[] = [tokenTask, tenantCreateTask];

/** Removes what has long ended: spent token ids, sessions, access changes, failed sign-ins. */
export const identityJobs: readonly Job[] = [
  {
    name: 'identity.sweep',
    schedule: '7 * * * *',
    run: async ({ database }) => {
      await database.systemPool.query('select sweep_identity()');
      await database.systemPool.query('select sweep_sign_in_links()');
    },
  },
];
