import type { Scope } from '../../platform/database/index.ts';
import { newId } from '../../platform/text/index.ts';
import type { HostContext } from '../person.ts';
import { newSecretToken, tokenHash } from './secret-token.ts';
import { Session, type SessionKind } from './session.entity.ts';

/** What session tokens begin with, so that one found in a log is recognised. */
export const SESSION_PREFIX = 'sgs_';

const HOURS = 3_600_000;
/** Programs: contract. Browsers of users: a month, so that a phone stays signed in; of admins: a working day. */
const LIFETIME_MS = { api: 12 * HOURS, user: 30 * 24 * HOURS, admin: 12 * HOURS } as const;

/** What the holder is given; the token is shown here and never again. */
export interface OpenedSession {
  readonly token: string;
  readonly sessionId: string;
  readonly expiresAt: Date;
}

/** Opens a session for a person; the caller's flush stores it. */
export function openSession(
  scope: Scope,
  user: { readonly id: string; readonly side: 'user' | 'admin' },
  kind: SessionKind,
  context: HostContext | null = null,
  lifetimeMs: number = LIFETIME_MS[kind === 'api' ? 'api' : user.side],
): OpenedSession {
  const token = newSecretToken(SESSION_PREFIX);
  const expiresAt = new Date(scope.now.getTime() + lifetimeMs);
  const session = scope.em.create(Session, {
    id: newId(),
    tenantId: scope.tenant.id,
    userId: user.id,
    tokenHash: tokenHash(token),
    kind,
    context,
    createdAt: scope.now,
    expiresAt,
    revokedAt: null,
  });
  scope.em.persist(session);
  return { token, sessionId: session.id, expiresAt };
}
