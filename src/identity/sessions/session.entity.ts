import { defineEntity, p } from '@mikro-orm/postgresql';
import { baseColumns, tenantFilter } from '../../platform/database/index.ts';
import type { HostContext } from '../person.ts';

/** A browser's cookie, or a bearer token of a program. */
export type SessionKind = 'browser' | 'api';

const SessionSchema = defineEntity({
  name: 'Session',
  tableName: 'sessions',
  filters: tenantFilter,
  properties: {
    ...baseColumns(),
    userId: p.uuid(),
    /** SHA-256 of the token; the token itself is nowhere. */
    tokenHash: p.blob().hidden(),
    kind: p.text().$type<SessionKind>(),
    context: p.json().$type<HostContext>().nullable(),
    createdAt: p.datetime(),
    expiresAt: p.datetime(),
    revokedAt: p.datetime().nullable(),
  },
});

/** One signed-in browser or program. */
export class Session extends SessionSchema.class {}
SessionSchema.setClass(Session);

const AccessChangeSchema = defineEntity({
  name: 'AccessChange',
  tableName: 'access_changes',
  filters: tenantFilter,
  properties: {
    id: p.bigint().primary().autoincrement(),
    tenantId: p.uuid(),
    userId: p.uuid(),
    /** Null: everything of this person is to be asked again. */
    sessionId: p.uuid().nullable(),
    createdAt: p.datetime().defaultRaw('clock_timestamp()'),
  },
});

/** A line of the log that every node follows, so that what was taken away is gone everywhere within a second. */
export class AccessChangeRecord extends AccessChangeSchema.class {}
AccessChangeSchema.setClass(AccessChangeRecord);
