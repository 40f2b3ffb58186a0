import { sql } from 'kysely';
import { type Person, User } from '../../identity/index.ts';
import { rows } from '../../messaging/index.ts';
import type { Scope } from '../../platform/database/index.ts';

/** How somebody wants to be told of answers. */
export interface NoticeChoices {
  /** False: they said no to push, and are not asked again. */
  readonly mayOfferPush: boolean;
  readonly wantsMail: boolean;
}

/** The choices of one of the tenant's users; whoever never chose may be offered everything. */
export async function readChoices(scope: Scope, userId: string): Promise<NoticeChoices> {
  const [found] = await rows(
    scope,
    sql<{ no_push: boolean; no_mail: boolean }>`
      select no_push_at is not null as no_push, no_mail_at is not null as no_mail
      from notice_choices where tenant_id = ${scope.tenant.id} and user_id = ${userId}`,
  );
  return { mayOfferPush: !found?.no_push, wantsMail: !found?.no_mail };
}

/** The caller does not want to be asked about push again. */
export async function declinePush(scope: Scope<Person>): Promise<void> {
  const { tenant, actor, now } = scope;
  await rows(
    scope,
    sql`insert into notice_choices as c (user_id, tenant_id, no_push_at) values (${actor.id}, ${tenant.id}, ${now})
      on conflict (user_id) do update set no_push_at = coalesce(c.no_push_at, excluded.no_push_at)`,
  );
}

/** Whether somebody wants mails about answers. */
export async function chooseMail(scope: Scope, userId: string, wantsMail: boolean): Promise<void> {
  const at = wantsMail ? null : scope.now;
  await rows(
    scope,
    sql`insert into notice_choices (user_id, tenant_id, no_mail_at) values (${userId}, ${scope.tenant.id}, ${at})
      on conflict (user_id) do update set no_mail_at = excluded.no_mail_at`,
  );
}

/** Where somebody would be mailed, as their host says; null without an address. */
export async function mailAddress(scope: Scope, userId: string): Promise<string | null> {
  return (await scope.em.findOne(User, { id: userId }))?.email ?? null;
}
