import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import type pg from 'pg';
import { newId } from '../../src/platform/text/index.ts';
import type { SupportSettings } from '../../src/tenancy/index.ts';

/** Something that happens in a conversation, so many seconds after what was before. */
export interface Step {
  readonly after: number;
  readonly what:
    | { readonly kind: 'user' }
    | { readonly kind: 'agent'; readonly agent: number }
    | { readonly kind: 'assign'; readonly agent: number; readonly by: 'system' | 'agent' }
    | { readonly kind: 'release' }
    | { readonly kind: 'warn' }
    | { readonly kind: 'close'; readonly by: 'system' | 'agent' | 'user' }
    | { readonly kind: 'reopen' }
    | { readonly kind: 'edit' }
    | { readonly kind: 'delete' }
    | { readonly kind: 'rate'; readonly score: number };
}

/** One conversation from its beginning. */
export interface History {
  /** Milliseconds since 1970. */
  readonly begins: number;
  readonly userType: string;
  readonly topic: string | null;
  readonly country: string | null;
  readonly steps: readonly Step[];
}

/** A conversation of a history, while it is being told. */
export interface Told {
  readonly id: string;
  readonly userId: string;
  /** Steps that have been told. */
  next: number;
  at: number;
  seq: number;
  status: 'open' | 'closed';
  holder: string | null;
  waitingSince: number | null;
}

/** Tells histories by writing the raw rows as superuser, with the times of the story. */
export function teller(admin: pg.Pool, tenantId: string, agents: readonly string[]) {
  async function begin(history: History): Promise<Told> {
    const told: Told = {
      id: newId(),
      userId: newId(),
      next: 0,
      at: history.begins,
      seq: 0,
      status: 'open',
      holder: null,
      waitingSince: null,
    };
    await admin.query(
      `insert into users (id, tenant_id, user_type, issuer, sub, name, country, created_at, updated_at)
       values ($1::uuid, $2, $3, 'test', $1::text, 'Somebody', $4, now(), now())`,
      [told.userId, tenantId, history.userType, history.country],
    );
    const at = new Date(history.begins);
    await admin.query(
      `insert into conversations (id, tenant_id, opened_by, user_type, topic, last_message_at, created_at, updated_at)
       values ($1, $2, $3, $4, $5, $6, $6, $6)`,
      [told.id, tenantId, told.userId, history.userType, history.topic, at],
    );
    return told;
  }

  async function line(told: Told, of: { side: string; sender?: string | null; event?: string; data?: object }) {
    told.seq++;
    const at = new Date(told.at);
    await admin.query(
      `insert into messages (id, tenant_id, conversation_id, seq, version, first_version, sender_type, sender_id,
         message_type, event, data, body, client_id, content_hash, created_at)
       values ($1, $2, $3, $4::int, $4::int, $4::int, $5, $6, $7, $8, $9, $10, $11, $11, $12)`,
      [
        newId(),
        tenantId,
        told.id,
        told.seq,
        of.side,
        of.sender ?? null,
        of.event ? 'system' : 'text',
        of.event ?? null,
        of.data ? JSON.stringify(of.data) : null,
        of.event ? null : 'text',
        randomUUID(),
        at,
      ],
    );
  }

  async function keep(told: Told, closedBy: string | null = null): Promise<void> {
    await admin.query(
      `update conversations set last_seq = $2, version = $2, last_message_at = greatest(last_message_at, $3), updated_at = $3,
         status = $4, closed_at = case when $4 = 'closed' then coalesce(closed_at, $3) end,
         closed_by = case when $4 = 'closed' then coalesce($5, closed_by) end, assigned_admin_id = $6, waiting_since = $7
       where id = $1`,
      [
        told.id,
        told.seq,
        new Date(told.at),
        told.status,
        closedBy,
        told.holder,
        told.waitingSince === null ? null : new Date(told.waitingSince),
      ],
    );
  }

  /** One step; what the product would refuse does not happen. */
  async function tell(told: Told, { after, what }: Step): Promise<void> {
    told.at += after * 1_000;
    const agent = (number: number) => agents[number % agents.length] ?? '';
    const isOpen = told.status === 'open';
    if (what.kind === 'user' && isOpen) {
      told.waitingSince ??= told.at;
      await line(told, { side: 'user', sender: told.userId });
    } else if (what.kind === 'agent' && isOpen) {
      told.waitingSince = null;
      await line(told, { side: 'admin', sender: agent(what.agent) });
    } else if (what.kind === 'assign' && isOpen) {
      const event = told.holder ? 'transferred' : 'assigned';
      told.holder = agent(what.agent);
      const actorId = what.by === 'system' ? 'system' : agent(what.agent + 1);
      await line(told, { side: 'system', event, data: { adminId: told.holder, actorId } });
    } else if (what.kind === 'release' && isOpen && told.holder) {
      told.holder = null;
      await line(told, { side: 'system', event: 'released', data: { adminId: null, actorId: 'system' } });
    } else if (what.kind === 'warn' && isOpen) {
      await line(told, { side: 'system', event: 'closing_soon', data: { actorId: 'system' } });
    } else if (what.kind === 'close' && isOpen) {
      told.status = 'closed';
      told.waitingSince = null;
      const by = what.by === 'system' ? 'system' : what.by === 'user' ? told.userId : agent(0);
      await line(told, { side: 'system', event: 'closed', data: { closedBy: by, actorId: by } });
      return keep(told, by);
    } else if (what.kind === 'reopen' && !isOpen) {
      told.status = 'open';
      await line(told, { side: 'system', event: 'reopened', data: { actorId: told.userId } });
    } else if (what.kind === 'edit' || what.kind === 'delete') {
      await admin.query(
        `update messages set version = version + 1, edited_at = now(), body = case when $2 then null else body end,
           deleted_at = case when $2 then now() end where conversation_id = $1 and seq = $3 and message_type = 'text'`,
        [told.id, what.kind === 'delete', Math.max(1, told.seq)],
      );
      return;
    } else if (what.kind === 'rate' && !isOpen) {
      await admin.query(
        `insert into conversation_ratings (conversation_id, tenant_id, user_id, admin_id, score, created_at, updated_at)
         values ($1, $2, $3, $4, $5, now(), now())
         on conflict (conversation_id) do update set score = excluded.score, updated_at = now()`,
        [told.id, tenantId, told.userId, told.holder, what.score],
      );
      return;
    } else return;
    await keep(told);
  }

  return {
    begin,
    tell,
    /** A whole history at once. */
    async whole(history: History): Promise<Told> {
      const told = await begin(history);
      for (const step of history.steps) await tell(told, step);
      return told;
    },
  };
}

/** Hours with a break at noon. */
export const WORKDAY = [
  { from: '09:00', to: '12:30' },
  { from: '13:30', to: '18:00' },
];
/** Hours that lie on both sides of midnight. */
export const NIGHT = [
  { from: '00:00', to: '02:00' },
  { from: '22:00', to: '24:00' },
];
/** The same on every day but the weekend. */
export const week = (of: SupportSettings['businessHours']['weekly']['monday']) => ({
  monday: of,
  tuesday: of,
  wednesday: of,
  thursday: of,
  friday: of,
  saturday: [],
  sunday: [],
});

/** Seconds between two steps: at once, minutes, over night, over weeks. */
const pause = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 1, max: 90 }),
  fc.integer({ min: 60, max: 7_200 }),
  fc.integer({ min: 3_600, max: 5 * 86_400 }),
  fc.integer({ min: 86_400, max: 40 * 86_400 }),
);
const agent = fc.integer({ min: 0, max: 2 });
const what: fc.Arbitrary<Step['what']> = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ kind: 'user' as const }) },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('agent' as const), agent }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('assign' as const),
      agent,
      by: fc.constantFrom('system' as const, 'agent' as const),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'release' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'warn' as const }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('close' as const),
      by: fc.constantFrom('system' as const, 'agent' as const, 'user' as const),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: 'reopen' as const }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom({ kind: 'edit' as const }, { kind: 'delete' as const }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('rate' as const),
      score: fc.integer({ min: 1, max: 5 }),
    }),
  },
);
/** Around the nights in which clocks change in New York, and any other time of that year. */
const begins = fc.oneof(
  fc.integer({
    min: Date.parse('2025-03-08T12:00:00Z'),
    max: Date.parse('2025-03-10T12:00:00Z'),
  }),
  fc.integer({
    min: Date.parse('2025-11-01T12:00:00Z'),
    max: Date.parse('2025-11-03T12:00:00Z'),
  }),
  fc.integer({
    min: Date.parse('2025-01-01T00:00:00Z'),
    max: Date.parse('2025-12-31T00:00:00Z'),
  }),
);
/** Anything that can happen in a conversation, at any pace. */
export const history: fc.Arbitrary<History> = fc.record({
  begins,
  userType: fc.constantFrom('driver', 'customer'),
  topic: fc.constantFrom(null, 'trip', 'a "b" {c}, ='),
  country: fc.constantFrom(null, 'BD', 'US'),
  steps: fc.array(fc.record({ after: pause, what }), { maxLength: 14 }),
});
