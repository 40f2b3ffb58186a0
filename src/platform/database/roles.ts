import pg from 'pg';
import { StartError } from '../config/index.ts';

/** Names of the two roles that belong to one database. Roles are cluster-wide, hence the database in the name. */
export interface RoleNames {
  /** What the pools run as: neither owner nor superuser, subject to row-level security. */
  readonly app: string;
  /** Owns the functions that serve several tenants at once (NOLOGIN; the app is never a member). */
  readonly append: string;
}

/** The role names for the database that a connection URL names. */
export function roleNames(url: string): RoleNames {
  const database = decodeURIComponent(new URL(url).pathname.slice(1)) || 'postgres';
  return { app: `app_${database}`, append: `append_${database}` };
}

/**
 * Creates both roles and lets the owner and the app's login use them. Needs CREATEROLE when they are missing.
 * @throws StartError with the SQL an administrator must run when the owner may not create roles.
 */
export async function prepareRoles(owner: pg.Client, appUrl: string): Promise<void> {
  const { app, append } = roleNames(appUrl);
  const me = (await owner.query<{ user: string }>('select current_user as user')).rows[0]?.user ?? '';
  const login = decodeURIComponent(new URL(appUrl).username) || me;
  const statements: string[] = [];
  for (const role of [app, append]) {
    const known = await owner.query('select 1 from pg_roles where rolname = $1', [role]);
    if (known.rowCount === 0) statements.push(`create role ${quote(role)} nologin`);
    for (const member of new Set(role === app ? [me, login] : [me])) {
      const may = await owner.query(
        `select 1 from pg_roles member join pg_roles target on target.rolname = $2
         where member.rolname = $1 and (member.rolsuper or exists (
           select 1 from pg_auth_members link where link.member = member.oid and link.roleid = target.oid
             and coalesce((to_jsonb(link) ->> 'set_option')::boolean, true)))`,
        [member, role],
      );
      if (may.rowCount === 0) statements.push(`grant ${quote(role)} to ${quote(member)}`);
    }
  }
  for (const statement of statements) {
    try {
      await owner.query(statement);
    } catch (error) {
      const code = error instanceof pg.DatabaseError ? error.code : undefined;
      // two installations on one cluster may create the same role at once: then it is there, which is all we want
      if (code === '42710' || code === '23505') continue;
      if (code === '42501') {
        throw new StartError(
          `The database user ${me} may not create roles. An administrator must run: ${statements.join('; ')};`,
        );
      }
      throw error;
    }
  }
}

/** @throws StartError when row-level security would not hold for this pool, or a pooler between us mixes sessions. */
export async function refuseUnsafePool(pool: pg.Pool): Promise<void> {
  const first = await pool.connect();
  try {
    const found = await first.query<{ name: string; unsafe: boolean; owns: boolean; fsync: string; commit: string }>(
      `select current_user as name, r.rolsuper or r.rolbypassrls as unsafe,
              exists (select 1 from pg_class c join pg_namespace n on n.oid = c.relnamespace
                      where n.nspname = 'public' and c.relkind = 'r' and c.relowner = r.oid) as owns,
              current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit
       from pg_roles r where r.rolname = current_user`,
    );
    const row = found.rows[0];
    if (!row || row.unsafe || row.owns) {
      throw new StartError(
        `The database role ${row?.name ?? '?'} is a superuser, bypasses row-level security or owns the tables; refusing to serve.`,
      );
    }
    if (row.fsync === 'off' || row.commit === 'off') {
      throw new StartError(
        'The database runs with fsync or synchronous_commit off: an acknowledged message could be lost; refusing to serve.',
      );
    }
    const second = await pool.connect();
    try {
      const pids = await Promise.all(
        [first, second].map((client) => client.query<{ pid: number }>('select pg_backend_pid() as pid')),
      );
      if (pids[0]?.rows[0]?.pid === pids[1]?.rows[0]?.pid) {
        throw new StartError('A transaction pooler stands before the database; connect to PostgreSQL directly.');
      }
    } finally {
      second.release();
    }
  } finally {
    first.release();
  }
}

function quote(name: string): string {
  return pg.escapeIdentifier(name);
}
