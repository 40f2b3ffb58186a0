import type pg from 'pg';
import type { Dialogue, DialogueLine } from './dialogue.ts';
import type { VolumePerson } from './people.ts';
import type { Random } from './random.ts';
import { writeRows } from './write-rows.ts';

/** Where the rows go; the connection is the owner's and has that tenant set. */
export interface VolumeTarget {
  readonly client: pg.ClientBase;
  readonly tenantId: string;
  readonly random: Random;
  /** Of the settings that the targets were taken from. */
  readonly settingsVersion: number;
}

const PREVIEW_LENGTH = 160;

/** Writes people. `issuer` keeps them apart from everybody whom a host vouches for. */
export async function writePeople(
  { client, tenantId }: VolumeTarget,
  issuer: string,
  people: readonly VolumePerson[],
): Promise<void> {
  await writeRows(
    client,
    'users',
    {
      id: 'uuid',
      tenant_id: 'uuid',
      user_type: 'text',
      issuer: 'text',
      sub: 'text',
      name: 'text',
      email: 'text',
      phone: 'text',
      country: 'text',
      locale: 'text',
      profile: 'jsonb',
      profile_at: 'timestamptz',
      created_at: 'timestamptz',
      updated_at: 'timestamptz',
    },
    people.map((one) => ({
      id: one.id,
      tenant_id: tenantId,
      user_type: one.userType,
      issuer,
      sub: one.sub,
      name: one.name,
      email: one.email,
      phone: one.phone,
      country: one.country,
      locale: one.locale,
      profile: one.profile,
      profile_at: one.createdAt,
      created_at: one.createdAt,
      updated_at: one.createdAt,
    })),
  );
}

/** Writes whole conversations with everything that hangs on them. */
export async function writeDialogues(target: VolumeTarget, dialogues: readonly Dialogue[]): Promise<void> {
  await writeConversations(target, dialogues);
  await writeMessages(target, dialogues);
  await writeParticipants(target, dialogues);
  await writeStory(target, dialogues);
}

async function writeConversations({ client, tenantId }: VolumeTarget, dialogues: readonly Dialogue[]): Promise<void> {
  await writeRows(
    client,
    'conversations',
    {
      id: 'uuid',
      tenant_id: 'uuid',
      opened_by: 'uuid',
      user_type: 'text',
      subject: 'text',
      status: 'text',
      assigned_admin_id: 'uuid',
      last_seq: 'integer',
      version: 'integer',
      user_read_seq: 'integer',
      staff_read_seq: 'integer',
      unread_by_user: 'integer',
      unread_by_staff: 'integer',
      last_message_at: 'timestamptz',
      preview: 'text',
      preview_sender_type: 'text',
      waiting_since: 'timestamptz',
      created_at: 'timestamptz',
      updated_at: 'timestamptz',
      closed_at: 'timestamptz',
      closed_by: 'text',
    },
    dialogues.map((one) => {
      const last = at(one.lines, -1);
      const said = one.lines.findLast((line) => line.side !== 'system') ?? last;
      const wait = one.waits.at(-1);
      return {
        id: one.id,
        tenant_id: tenantId,
        opened_by: one.user.id,
        user_type: one.user.userType,
        subject: one.subject,
        status: one.closedBy ? 'closed' : 'open',
        assigned_admin_id: one.holders.at(-1)?.agent.id ?? null,
        last_seq: one.lines.length,
        version: one.lines.length,
        user_read_seq: one.readByUser,
        staff_read_seq: one.readByStaff,
        unread_by_user: countAfter(one.lines, one.readByUser, 'admin'),
        unread_by_staff: countAfter(one.lines, one.readByStaff, 'user'),
        last_message_at: last.at,
        preview: said.body?.slice(0, PREVIEW_LENGTH) ?? null,
        preview_sender_type: said.side,
        waiting_since: !one.closedBy && wait?.settledAt === null ? wait.since : null,
        created_at: at(one.lines, 0).at,
        updated_at: last.at,
        closed_at: one.closedBy ? last.at : null,
        closed_by: one.closedBy,
      };
    }),
  );
}

async function writeMessages(
  { client, tenantId, random }: VolumeTarget,
  dialogues: readonly Dialogue[],
): Promise<void> {
  const messages = dialogues.flatMap((dialogue) =>
    dialogue.lines.map((line, index) => ({
      id: line.id,
      tenant_id: tenantId,
      conversation_id: dialogue.id,
      seq: index + 1,
      version: index + 1,
      first_version: index + 1,
      sender_type: line.side,
      sender_id: line.senderId,
      message_type: line.side === 'system' ? 'system' : 'text',
      event: line.event,
      data: line.data,
      body: line.body,
      client_id: line.side === 'system' ? line.id : random.uuid(),
      content_hash: random.uuid(),
      created_at: line.at,
    })),
  );
  await writeRows(
    client,
    'messages',
    {
      id: 'uuid',
      tenant_id: 'uuid',
      conversation_id: 'uuid',
      seq: 'integer',
      version: 'integer',
      first_version: 'integer',
      sender_type: 'text',
      sender_id: 'uuid',
      message_type: 'text',
      event: 'text',
      data: 'jsonb',
      body: 'text',
      client_id: 'uuid',
      content_hash: 'uuid',
      created_at: 'timestamptz',
    },
    messages,
  );
}

async function writeParticipants({ client, tenantId }: VolumeTarget, dialogues: readonly Dialogue[]): Promise<void> {
  const participants = dialogues.flatMap((one) => {
    const opened = at(one.lines, 0).at;
    const ended = at(one.lines, -1).at;
    const user = { id: one.user.id, side: 'user', read: one.readByUser, joined: opened, left: null };
    const staff = one.holders.map((held) => ({
      id: held.agent.id,
      side: 'admin',
      read: one.readByStaff,
      joined: held.from,
      left: held.until,
    }));
    // nobody takes part twice: a transfer to oneself does not happen, back to the first one does
    const people = new Map([user, ...staff].map((person) => [person.id, person]));
    return [...people.values()].map((person) => ({
      conversation_id: one.id,
      user_id: person.id,
      tenant_id: tenantId,
      side: person.side,
      read_seq: person.read,
      read_at: ended,
      joined_at: person.joined,
      left_at: person.left,
    }));
  });
  await writeRows(
    client,
    'conversation_participants',
    {
      conversation_id: 'uuid',
      user_id: 'uuid',
      tenant_id: 'uuid',
      side: 'text',
      read_seq: 'integer',
      read_at: 'timestamptz',
      joined_at: 'timestamptz',
      left_at: 'timestamptz',
    },
    participants,
  );
}

/** What reports are made from: waits, why somebody got it, notes, ratings. */
async function writeStory(target: VolumeTarget, dialogues: readonly Dialogue[]): Promise<void> {
  const { client, tenantId, settingsVersion } = target;
  await writeRows(
    client,
    'response_clocks',
    {
      conversation_id: 'uuid',
      waiting_since: 'timestamptz',
      tenant_id: 'uuid',
      kind: 'text',
      asked_seq: 'integer',
      settings_version: 'integer',
      due_at: 'timestamptz',
      answered_at: 'timestamptz',
      breached_at: 'timestamptz',
      settled_at: 'timestamptz',
    },
    // whoever still waits gets a clock from the desk itself
    dialogues.flatMap((one) =>
      one.waits.flatMap((wait) =>
        wait.settledAt
          ? [
              {
                conversation_id: one.id,
                waiting_since: wait.since,
                tenant_id: tenantId,
                kind: wait.kind,
                asked_seq: wait.askedSeq,
                settings_version: settingsVersion,
                due_at: wait.dueAt,
                answered_at: wait.answeredAt,
                breached_at: wait.settledAt > wait.dueAt ? wait.dueAt : null,
                settled_at: wait.settledAt,
              },
            ]
          : [],
      ),
    ),
  );
  await writeRows(
    client,
    'assignment_decisions',
    {
      tenant_id: 'uuid',
      conversation_id: 'uuid',
      mode: 'text',
      reason: 'text',
      chosen_admin_id: 'uuid',
      candidates: 'jsonb',
      waiting_since: 'timestamptz',
      created_at: 'timestamptz',
    },
    dialogues.flatMap((one) =>
      one.holders
        .filter((held) => held.isAutomatic)
        .map((held) => ({
          tenant_id: tenantId,
          conversation_id: one.id,
          mode: 'round_robin',
          reason: 'longest_not_served',
          chosen_admin_id: held.agent.id,
          candidates: [{ adminId: held.agent.id, open: 1, lastServed: 0, verdict: 'chosen' }],
          waiting_since: at(one.lines, 0).at,
          created_at: held.from,
        })),
    ),
  );
  await writeRows(
    client,
    'conversation_ratings',
    {
      conversation_id: 'uuid',
      tenant_id: 'uuid',
      user_id: 'uuid',
      admin_id: 'uuid',
      score: 'smallint',
      comment: 'text',
      created_at: 'timestamptz',
      updated_at: 'timestamptz',
    },
    dialogues.flatMap((one) =>
      one.rating
        ? [
            {
              conversation_id: one.id,
              tenant_id: tenantId,
              user_id: one.user.id,
              admin_id: one.holders.at(-1)?.agent.id ?? null,
              score: one.rating.score,
              comment: one.rating.comment,
              created_at: one.rating.at,
              updated_at: one.rating.at,
            },
          ]
        : [],
    ),
  );
  await writeNotes(target, dialogues);
}

async function writeNotes({ client, tenantId, random }: VolumeTarget, dialogues: readonly Dialogue[]): Promise<void> {
  await writeRows(
    client,
    'conversation_notes',
    {
      id: 'uuid',
      tenant_id: 'uuid',
      conversation_id: 'uuid',
      version: 'integer',
      after_seq: 'integer',
      author_id: 'uuid',
      body: 'text',
      client_id: 'uuid',
      created_at: 'timestamptz',
    },
    dialogues.flatMap((one) =>
      one.notes.map((note, index) => ({
        id: note.id,
        tenant_id: tenantId,
        conversation_id: one.id,
        version: index + 1,
        after_seq: note.afterSeq,
        author_id: note.author.id,
        body: note.body,
        client_id: random.uuid(),
        created_at: note.at,
      })),
    ),
  );
  await writeRows(
    client,
    'note_mentions',
    {
      note_id: 'uuid',
      user_id: 'uuid',
      tenant_id: 'uuid',
      conversation_id: 'uuid',
      created_at: 'timestamptz',
      seen_at: 'timestamptz',
    },
    dialogues.flatMap((one) =>
      one.notes.flatMap((note) =>
        note.mentioned
          ? [
              {
                note_id: note.id,
                user_id: note.mentioned.id,
                tenant_id: tenantId,
                conversation_id: one.id,
                created_at: note.at,
                seen_at: random.chance(0.97) ? note.at : null,
              },
            ]
          : [],
      ),
    ),
  );
}

function countAfter(lines: readonly DialogueLine[], seq: number, side: DialogueLine['side']): number {
  return lines.slice(seq).filter((line) => line.side === side).length;
}

function at(lines: readonly DialogueLine[], index: number): DialogueLine {
  const line = lines.at(index);
  if (!line) throw new Error('a dialogue has at least one line');
  return line;
}
