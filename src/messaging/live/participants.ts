import { sql } from 'kysely';
import type { Scope } from '../../platform/database/index.ts';
import type { Conversation } from '../conversations/conversation.entity.ts';
import type { Audience } from '../messages/message.view.ts';
import { rows } from '../rows.ts';

/** A participant as frames show it; staff have no id for users. */
export interface ParticipantView {
  readonly id?: string;
  readonly senderType: 'user' | 'admin';
  readonly name: string;
}

/** Somebody's mark in a conversation, with what decides who may hear of it. */
export interface Mark {
  readonly userId: string;
  readonly name: string;
  readonly side: 'user' | 'admin';
  readonly seq: number;
  /** False for the mark of an admin who may not answer: it tells the user nothing. */
  readonly counts: boolean;
}

/** One member of `readMarks`. */
export interface ReadMarkView {
  readonly participant: ParticipantView;
  readonly seq: number;
}

/** All marks of a conversation that the caller was let into; with `userId` that person's alone. */
export async function readMarks(
  scope: Scope,
  conversation: Pick<Conversation, 'id' | 'staffReadSeq'>,
  userId: string | null = null,
): Promise<Mark[]> {
  const found = await rows(
    scope,
    sql<Mark & { mayAnswer: boolean }>`
      select p.user_id as "userId", u.name, p.side, p.read_seq as seq, p.side = 'user' or exists (
        select 1 from role_assignments a join roles r on r.id = a.role_id and r.tenant_id = a.tenant_id
        where a.user_id = p.user_id and a.tenant_id = p.tenant_id and 'REPLY_SUPPORT_CHAT' = any (r.capabilities)
      ) as "mayAnswer"
      from conversation_participants p join users u on u.id = p.user_id and u.tenant_id = p.tenant_id
      where p.conversation_id = ${conversation.id} and p.tenant_id = ${scope.tenant.id} and p.read_seq > 0
        and (${userId}::uuid is null or p.user_id = ${userId}::uuid)
      order by p.joined_at`,
  );
  return found.map(({ mayAnswer, ...mark }) => ({
    ...mark,
    counts: mayAnswer && (mark.side === 'user' || mark.seq <= conversation.staffReadSeq),
  }));
}

/** The marks that an audience may know. */
export function marksFor(audience: Audience, marks: readonly Mark[]): ReadMarkView[] {
  return marks
    .filter((mark) => audience === 'staff' || mark.counts)
    .map(({ userId, side, name, seq }) => ({
      participant: participantView(audience, { id: userId, side, name }),
      seq,
    }));
}

/** A person for one audience: users see staff by name and side only. */
export function participantView(
  audience: Audience,
  person: { readonly id: string; readonly side: 'user' | 'admin'; readonly name: string },
): ParticipantView {
  const { id, side, name } = person;
  return audience === 'staff' || side === 'user' ? { id, senderType: side, name } : { senderType: side, name };
}
