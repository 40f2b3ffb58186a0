/**
 * Database: one PostgreSQL, the ORM's life cycle, scopes and transactions.
 *
 * Promises that work in a scope sees one tenant only, twice over: by a strict ORM filter and by row-level security on
 * every connection. Never keeps an EntityManager beyond its scope, and never lets the app run as owner or superuser.
 */
export { batched } from './batched.ts';
export { baseColumns, ownTenantFilter, TENANT_FILTER, tenantFilter } from './columns.ts';
export { type Database, type DatabaseOptions, type Log, migrate, openDatabase, ormOptions } from './database.ts';
export { isSilence } from './query-limit.ts';
export { roleNames } from './roles.ts';
export type { Actor, DomainEvent, Scope, TenantRef } from './scope.ts';
export { type StartedDatabase, startDatabase } from './start-database.ts';
export { isInTransaction, transact } from './transact.ts';
