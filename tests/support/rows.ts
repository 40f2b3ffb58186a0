import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { newId } from '../../src/platform/text/index.ts';

/** Rows put straight into the tables as superuser, for tests that look at the database itself. */

export interface PersonRow {
  readonly id: string;
  readonly tenantId: string;
  readonly type: 'user' | 'admin';
}

/** A tenant with the one user type `driver`. */
export async function insertTenant(admin: pg.Pool): Promise<string> {
  const id = newId();
  await admin.query(`insert into tenants (id, slug, name, user_types) values ($1, $2, 'Test', '{driver}')`, [
    id,
    `t${randomUUID().replaceAll('-', '').slice(8)}`,
  ]);
  return id;
}

export async function insertPerson(
  admin: pg.Pool,
  tenantId: string,
  type: PersonRow['type'] = 'user',
): Promise<PersonRow> {
  const id = newId();
  await admin.query(
    `insert into users (id, tenant_id, user_type, issuer, sub, name, created_at, updated_at)
     values ($1, $2, $3, 'test', $4, 'Somebody', now(), now())`,
    [id, tenantId, type === 'admin' ? 'admin' : 'driver', id],
  );
  return { id, tenantId, type };
}

/** An open conversation of that user, unassigned unless an admin is given. */
export async function insertConversation(admin: pg.Pool, user: PersonRow, assignedTo?: PersonRow): Promise<string> {
  const id = newId();
  await admin.query(
    `insert into conversations (id, tenant_id, opened_by, user_type, assigned_admin_id, last_message_at, created_at, updated_at)
     values ($1, $2, $3, 'driver', $4, now(), now(), now())`,
    [id, user.tenantId, user.id, assignedTo?.id ?? null],
  );
  return id;
}
