import pg from 'pg';
import { z } from 'zod';
import { gatherWordsOf } from '../messaging/index.ts';
import { StartError } from '../platform/config/index.ts';
import type { Task, TaskContext } from '../platform/jobs/index.ts';
import { createIds } from '../platform/text/index.ts';
import { openTenancy, type TenantInfo } from '../tenancy/index.ts';
import { createDialogue, type DialogueEnd, MIN_LINES, type VolumeAgent } from './volume/dialogue.ts';
import { agentName, createPerson, type VolumePerson } from './volume/people.ts';
import { createRandom, type Random } from './volume/random.ts';
import { type VolumeTarget, writeDialogues, writePeople } from './volume/write-dialogues.ts';
import { writeRows } from './volume/write-rows.ts';

const Options = z.object({
  conversations: z.coerce.number().int().min(1).max(5_000_000).default(100_000),
  messages: z.coerce.number().int().min(1).max(100_000_000).optional(),
  tenant: z.string().default('safego'),
  users: z.coerce.number().int().min(1).optional(),
  agents: z.coerce.number().int().min(2).max(500).default(40),
  days: z.coerce.number().int().min(1).max(3_650).default(365),
  open: z.coerce.number().min(0).max(1).default(0.03),
  seed: z.coerce.number().int().min(0).default(1),
});
type Options = z.output<typeof Options> & { readonly messages: number; readonly users: number };

/** `iss` of made-up people: no host vouches for them, so nobody can sign in as one. */
const ISSUER = 'volume';

/** Conversations that are in memory at once, and in one transaction. */
const PER_ROUND = 500;
const MESSAGES_EACH = 20;
const PROGRESS_EVERY = 20;
const DAY = 86_400_000;

/** Of those that are open, so many wait for somebody to take them. */
const UNANSWERED_SHARE = 0.2;

/**
 * `npm run task seed-volume`: a history as it would be after years, straight into the tables (a hundred million lines
 * through the doors would take days), to see how quick everything is then. Nothing is audited: the sealed log tells what
 * happened here, and none of this did.
 */
export const seedVolumeTask: Task = {
  name: 'seed-volume',
  summary: 'fills a tenant with made-up conversations, to see how quick everything is on that volume',
  options: {
    conversations: { value: 'N', summary: 'how many (100000)' },
    messages: {
      value: 'N',
      summary: `in all, system lines too (${MESSAGES_EACH} a conversation; at least ${MIN_LINES})`,
    },
    tenant: { value: 'slug', summary: 'where (safego)' },
    users: { value: 'N', summary: 'who wrote them (a third of the conversations)' },
    agents: { value: 'N', summary: 'who answered them, besides the agents and leads who are there (40)' },
    days: { value: 'N', summary: 'how far back they reach (365)' },
    open: { value: 'share', summary: 'of them are still open (0.03)' },
    seed: { value: 'N', summary: 'another number makes up others (1)' },
  },
  async run(context) {
    const options = parse(context);
    if (context.config.production) throw new StartError('task seed-volume: never in production');
    const tenant = await tenantOf(context, options.tenant);
    const client = await connect(context, tenant);
    try {
      await seed(context, client, tenant, options);
    } finally {
      await client.end();
    }
  },
};

function parse(context: TaskContext): Options {
  const parsed = Options.safeParse(context.options);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new StartError(`task seed-volume: --${issue?.path[0]?.toString()} ${issue?.message}`);
  }
  const { conversations } = parsed.data;
  const messages = parsed.data.messages ?? conversations * MESSAGES_EACH;
  if (messages < conversations * MIN_LINES) {
    throw new StartError(`task seed-volume: --messages must be at least ${MIN_LINES} for each conversation`);
  }
  return { ...parsed.data, messages, users: parsed.data.users ?? Math.ceil(conversations / 3) };
}

async function tenantOf(context: TaskContext, slug: string): Promise<TenantInfo> {
  const tenancy = await openTenancy({ database: await context.database(), log: context.log });
  const tenant = await tenancy.bySlug(slug);
  await tenancy.close();
  if (!tenant) throw new StartError(`task seed-volume: there is no tenant ${slug}`);
  return tenant;
}

/** The owner's own connection, bound to the tenant: the app's role may append messages by its function alone. */
async function connect(context: TaskContext, tenant: TenantInfo): Promise<pg.Client> {
  const { systemPool } = await context.database();
  const client = new pg.Client({
    connectionString: context.config.migrateDatabaseUrl ?? systemPool.options.connectionString,
    options: '-c timezone=UTC -c synchronous_commit=off -c statement_timeout=0',
  });
  await client.connect();
  await client.query("select set_config('app.tenant_id', $1, false)", [tenant.id]);
  return client;
}

async function seed(context: TaskContext, client: pg.Client, tenant: TenantInfo, options: Options): Promise<void> {
  const { now, agents, known } = await stage(client, tenant, options);
  const random = createRandom(options.seed + known);
  const target: VolumeTarget = { client, tenantId: tenant.id, random, settingsVersion: tenant.supportVersion };
  const people = await peopleOf(target, tenant, options, known, now);
  const totals = { conversations: 0, messages: 0 };
  const starts = startTimes(random, options, now);
  for (let from = 0, round = 1; from < options.conversations; from += PER_ROUND, round += 1) {
    const size = Math.min(PER_ROUND, options.conversations - from);
    const dialogues = Array.from({ length: size }, (_, index) => {
      const left = options.conversations - totals.conversations;
      const dialogue = createDialogue({
        random,
        agents,
        now,
        user: personFor(people, from + index, options),
        startsAt: new Date(starts[from + index] ?? now.getTime()),
        lines: linesOf(random, options.messages - totals.messages, left),
        end: left === 1 ? 'closed' : endOf(random, from + index, options),
        targets: {
          first: tenant.support.firstResponseTargetMinutes,
          next: tenant.support.nextResponseTargetMinutes,
        },
      });
      totals.conversations += 1;
      totals.messages += dialogue.lines.length;
      return dialogue;
    });
    await client.query('begin');
    await writeDialogues(target, dialogues);
    await client.query('commit');
    if (round % PROGRESS_EVERY === 0) context.log.warn({ ...totals, of: options.conversations }, 'volume written');
  }
  // what was written into the past lies before the mark of the index of words: it begins anew
  await client.query('delete from word_marks where tenant_id = $1', [tenant.id]);
  await gatherWordsOf(client, tenant.id, new Date(now.getTime() + DAY));
  await settle(client);
  context.print(
    `${tenant.slug}: ${totals.conversations} conversations, ${totals.messages} messages of ${people.length} people and ${agents.length} agents`,
  );
}

/** What is there: the time, whoever answers in this tenant, how many made-up people there are already. */
async function stage(client: pg.Client, tenant: TenantInfo, options: Options) {
  const { rows } = await client.query<{ now: Date; known: number }>(
    'select now() as now, (select count(*)::integer from users where tenant_id = $1 and issuer = $2) as known',
    [tenant.id, ISSUER],
  );
  const now = rows[0]?.now ?? new Date(0);
  await hireAgents(client, tenant, options, now);
  const { rows: staff } = await client.query<{ id: string; name: string }>(
    `select distinct u.id, u.name from users u
     join role_assignments held on held.user_id = u.id join roles r on r.id = held.role_id
     where u.tenant_id = $1 and u.user_type = 'admin' and u.status = 'active'
       and r.name in ('support_agent', 'support_lead')
     order by u.id`,
    [tenant.id],
  );
  const agents: VolumeAgent[] = staff.map((one, index) => ({ ...one, pace: 0.5 + (index % 7) * 0.25 }));
  return { now, agents, known: rows[0]?.known ?? 0 };
}

/** Made-up agents, once: another run takes those of the one before. */
async function hireAgents(client: pg.Client, tenant: TenantInfo, { agents }: Options, now: Date): Promise<void> {
  const { rows } = await client.query<{ id: string }>(
    `select id from roles where tenant_id = $1 and name = 'support_agent'`,
    [tenant.id],
  );
  const role = rows[0]?.id;
  if (!role) throw new StartError('task seed-volume: this tenant has no role support_agent');
  const newId = createIds(() => now.getTime());
  const { rows: hired } = await client.query<{ id: string }>(
    `insert into users (id, tenant_id, user_type, issuer, sub, name, created_at, updated_at)
     select id, $1, 'admin', $2, sub, name, $3, $3 from unnest($4::uuid[], $5::text[], $6::text[]) as row (id, sub, name)
     on conflict (tenant_id, user_type, issuer, sub) do nothing returning id`,
    [
      tenant.id,
      ISSUER,
      now,
      Array.from({ length: agents }, newId),
      Array.from({ length: agents }, (_, index) => `agent-${index + 1}`),
      Array.from({ length: agents }, (_, index) => agentName(index)),
    ],
  );
  await writeRows(
    client,
    'role_assignments',
    {
      id: 'uuid',
      tenant_id: 'uuid',
      user_id: 'uuid',
      role_id: 'uuid',
      assigned_by: 'text',
      assigned_at: 'timestamptz',
    },
    hired.map(({ id }) => ({
      id: newId(),
      tenant_id: tenant.id,
      user_id: id,
      role_id: role,
      assigned_by: 'system',
      assigned_at: now,
    })),
  );
}

/** Everybody who will write, written in rounds; they are small enough to be kept in memory. */
async function peopleOf(
  target: VolumeTarget,
  tenant: TenantInfo,
  { users, conversations, days, open }: Options,
  known: number,
  now: Date,
): Promise<readonly VolumePerson[]> {
  const since = new Date(now.getTime() - days * DAY);
  // one open conversation a person: there must be enough of them
  const count = Math.max(users, Math.ceil(conversations * open) + 1);
  const people = Array.from({ length: count }, (_, index) => {
    const userType = tenant.userTypes[index % tenant.userTypes.length] ?? 'user';
    return createPerson({ random: target.random, index: known + index, userType, since });
  });
  for (let from = 0; from < count; from += PER_ROUND * 10) {
    await writePeople(target, ISSUER, people.slice(from, from + PER_ROUND * 10));
  }
  return people;
}

/** The newest ones are open, each of somebody else; before, some people write often and most seldom. */
function personFor(people: readonly VolumePerson[], index: number, { conversations }: Options): VolumePerson {
  const fromTheEnd = conversations - 1 - index;
  const place = fromTheEnd < people.length ? fromTheEnd : Math.floor(((index * 0.618_034) % 1) ** 2 * people.length);
  const person = people[place] ?? people[0];
  if (!person) throw new Error('a volume needs people');
  return person;
}

function endOf(random: Random, index: number, { conversations, open }: Options): DialogueEnd {
  if (index < conversations - Math.ceil(conversations * open)) return 'closed';
  return random.chance(UNANSWERED_SHARE) ? 'unanswered' : 'open';
}

/** Skewed, but so that the total comes out exactly: what is left over is shared by those that are left. */
function linesOf(random: Random, messagesLeft: number, conversationsLeft: number): number {
  if (conversationsLeft === 1) return messagesLeft;
  const mean = messagesLeft / conversationsLeft - MIN_LINES;
  // the mean of this distribution is exp(0.8² / 2) times its median
  const lines = MIN_LINES + Math.round(random.skewed(mean / Math.exp(0.32), 0.8));
  return Math.max(MIN_LINES, Math.min(lines, messagesLeft - (conversationsLeft - 1) * MIN_LINES));
}

/** When they begin, oldest first, in milliseconds: more by day than by night, more lately than long ago. */
function startTimes(random: Random, { conversations, days }: Options, now: Date): Float64Array {
  const first = now.getTime() - days * DAY;
  const times = Float64Array.from({ length: conversations }, () => {
    const day = Math.floor(random.next() ** 0.8 * days);
    // the hour of Dhaka's day: a hill around the afternoon
    const hour = 24 * ((random.next() + random.next() + random.next()) / 3);
    return Math.min(first + day * DAY + (hour - 3) * 3_600_000, now.getTime());
  });
  return times.sort();
}

/** Statistics, and the index of words without a backlog: as it is after a night. */
async function settle(client: pg.Client): Promise<void> {
  for (const table of [
    'users',
    'conversations',
    'messages',
    'conversation_words',
    'conversation_participants',
    'response_clocks',
    'assignment_decisions',
    'conversation_ratings',
    'conversation_notes',
    'note_mentions',
  ]) {
    await client.query(`vacuum (analyze) ${table}`);
  }
}
