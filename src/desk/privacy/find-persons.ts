import type { Scope } from '../../platform/database/index.ts';
import { Forbidden, NotFound } from '../../platform/errors/index.ts';

/** One of the host's users, as far as it takes to know that it is the right one. */
export interface Subject {
  readonly id: string;
  readonly name: string;
  readonly userType: string;
  /** The person's id at the host. */
  readonly hostId: string;
}

/** And how much is kept of them. */
export interface SubjectRecord extends Subject {
  readonly conversations: number;
  readonly messages: number;
  readonly files: number;
  /** True once they were erased. */
  readonly isErased: boolean;
  /** On legal hold: nothing of theirs is deleted. */
  readonly isHeld: boolean;
}

const SHOWN = 20;
const SUBJECT = `u.id, u.name, u.user_type as "userType", u.sub as "hostId"`;

/**
 * Users by the beginning of a name, email, phone number or id, 20 at most.
 * @throws Forbidden without MANAGE_PRIVACY.
 */
export async function findSubjects(scope: Scope, query: string): Promise<Subject[]> {
  if (!scope.actor.can('MANAGE_PRIVACY')) throw new Forbidden();
  if (query.trim() === '') return [];
  return scope.em.execute<Subject[]>(
    `select ${SUBJECT} from users u where u.tenant_id = ? and u.user_type <> 'admin'
       and u.id in (select f from find_people(?) f) order by u.name, u.id limit ?`,
    [scope.tenant.id, query.trim(), SHOWN],
  );
}

/**
 * One of the host's users with what is kept of them.
 * @throws Forbidden without MANAGE_PRIVACY; NotFound for nobody, and for admins.
 */
export async function readSubject(scope: Scope, id: string): Promise<SubjectRecord> {
  if (!scope.actor.can('MANAGE_PRIVACY')) throw new Forbidden();
  const [found] = await scope.em.execute<SubjectRecord[]>(
    `with theirs as (select c.id from conversations c where c.tenant_id = ? and c.opened_by = ?::uuid)
     select ${SUBJECT}, u.issuer = 'erased' as "isErased", u.held_since is not null as "isHeld",
       (select count(*)::int from theirs) as conversations,
       (select count(*)::int from messages m where m.conversation_id in (select t.id from theirs t)) as messages,
       (select count(*)::int from attachments a where a.conversation_id in (select t.id from theirs t)) as files
     from users u where u.tenant_id = ? and u.id = ?::uuid and u.user_type <> 'admin'`,
    [scope.tenant.id, id, scope.tenant.id, id],
  );
  if (!found) throw new NotFound();
  return found;
}
