import { sql } from 'kysely';
import { ADMIN, type Person, User } from '../../identity/index.ts';
import { rows } from '../../messaging/index.ts';
import { type Scope, transact } from '../../platform/database/index.ts';
import { Forbidden, Invalid, NotFound } from '../../platform/errors/index.ts';
import { recordAudit } from '../../tenancy/index.ts';

/** Languages that can be chosen, ISO 639. */
export const AGENT_LANGUAGES = [
  'en',
  'bn',
  'ar',
  'de',
  'es',
  'fa',
  'fr',
  'hi',
  'id',
  'it',
  'ja',
  'ko',
  'ms',
  'my',
  'ne',
  'pa',
  'pt',
  'ru',
  'si',
  'ta',
  'th',
  'tr',
  'ur',
  'vi',
  'zh',
] as const;

/**
 * The languages that each of the tenant's admins answers in, by admin id; who has none said is not there.
 * @throws Forbidden without MANAGE_ROLES.
 */
export async function readAgentLanguages(scope: Scope<Person>): Promise<ReadonlyMap<string, readonly string[]>> {
  if (!scope.actor.can('MANAGE_ROLES')) throw new Forbidden();
  const spoken = await rows(
    scope,
    sql<{ adminId: string; languages: string[] }>`
      select admin_id as "adminId", languages from agent_languages
      where tenant_id = ${scope.tenant.id} and languages <> '{}'`,
  );
  return new Map(spoken.map(({ adminId, languages }) => [adminId, languages]));
}

/**
 * Says which languages an admin answers in, instead of those before; none is allowed.
 * @throws Forbidden without MANAGE_ROLES; NotFound for nobody's admin; Invalid `languages` for a code we do not know.
 */
export async function setAgentLanguages(
  scope: Scope<Person>,
  adminId: string,
  languages: readonly string[],
): Promise<void> {
  if (!scope.actor.can('MANAGE_ROLES')) throw new Forbidden();
  const known: readonly string[] = AGENT_LANGUAGES;
  if (languages.some((code) => !known.includes(code))) throw new Invalid({ languages: 'languages' });
  const sorted = [...new Set(languages)].sort();
  await transact(scope, async (inside) => {
    if (!(await inside.em.findOne(User, { id: adminId, userType: ADMIN }))) throw new NotFound();
    const changed = await rows(
      inside,
      sql`
        insert into agent_languages as l (tenant_id, admin_id, languages, updated_by, updated_at)
        values (${inside.tenant.id}, ${adminId}, ${sorted}::text[], ${inside.actor.id}, ${inside.now})
        on conflict (tenant_id, admin_id) do update
          set languages = excluded.languages, updated_by = excluded.updated_by, updated_at = excluded.updated_at
          where l.languages <> excluded.languages
        returning admin_id`,
    );
    if (changed.length === 0) return;
    recordAudit(inside, {
      action: 'SUPPORT_AGENT_CHANGED',
      entityType: 'user',
      entityId: adminId,
      metadata: { languages: sorted.join(',') },
    });
    await inside.em.flush();
  });
}
