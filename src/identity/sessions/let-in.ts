import type { Scope, TenantRef } from '../../platform/database/index.ts';
import { recordAudit } from '../../tenancy/index.ts';
import type { HostContext } from '../person.ts';
import { ADMIN } from '../users/user.entity.ts';
import { type OpenedSession, openSession } from './open-session.ts';
import type { SessionKind } from './session.entity.ts';

/** Who signed in, and the session that was opened for them. */
export interface SignedIn extends OpenedSession {
  readonly tenant: TenantRef;
  readonly user: { readonly id: string; readonly userType: string; readonly name: string };
}

/** How somebody has shown who they are, and what follows for their session. */
export interface LetInBy {
  readonly by: 'host' | 'password' | 'demo' | 'mail';
  /** What the host said of the moment. */
  readonly context?: HostContext | null;
  /** Shorter, or longer, than sessions of this kind are. */
  readonly lifetimeMs?: number;
}

/** Opens a session for somebody who has shown who they are, and notes in the audit log that they came. Flushes. */
export async function letIn(
  scope: Scope,
  { id, userType, name }: SignedIn['user'],
  kind: SessionKind,
  { by, context = null, lifetimeMs }: LetInBy,
): Promise<SignedIn> {
  const side = userType === ADMIN ? 'admin' : 'user';
  const session = openSession(scope, { id, side }, kind, context, lifetimeMs);
  recordAudit(
    { ...scope, actor: { ...scope.actor, id } },
    { action: 'SUPPORT_SIGNED_IN', entityType: 'user', entityId: id, metadata: { userType, by, session: kind } },
  );
  await scope.em.flush();
  const { tenant } = scope;
  return { ...session, tenant: { id: tenant.id, slug: tenant.slug }, user: { id, userType, name } };
}
