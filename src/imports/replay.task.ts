import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { createSealer, hostTokenSigner, setRoles } from '../identity/index.ts';
import { StartError } from '../platform/config/index.ts';
import type { Scope } from '../platform/database/index.ts';
import type { Task, TaskContext } from '../platform/jobs/index.ts';
import { openTenancy, systemActor, type TenantInfo } from '../tenancy/index.ts';
import { type Entrance, errorCode, type HostPerson } from './replay/actors.ts';
import { readDialogues } from './replay/dialogues.ts';
import { replayDialogues } from './replay/replay-dialogues.ts';
import { reportLines } from './replay/replay-report.ts';
import { openRestClient } from './replay/rest-client.ts';

const Options = z.object({
  file: z.string(),
  url: z.url({ protocol: /^https?$/ }),
  concurrency: z.coerce.number().int().min(1).max(1_000).default(50),
  limit: z.coerce.number().int().min(1).optional(),
  tenant: z.string().default('safego'),
  agents: z.coerce.number().int().min(1).max(200).optional(),
});
type Options = z.output<typeof Options>;

/** Differences that are printed; the rest is counted. */
const SHOWN_DIFFERENCES = 50;

/** So many dialogues an agent holds at once, so that one agent's send limit does not hold up the others'. */
const DIALOGUES_PER_AGENT = 5;

/** `npm run task replay`: recorded dialogues through the running server, and the proof that nothing got lost. */
export const replayTask: Task = {
  name: 'replay',
  summary: 'plays recorded dialogues through the running server and compares what it holds with what was sent',
  options: {
    file: {
      value: 'dialogues.jsonl',
      summary: 'lines of {id, services, turns: [{from: "user"|"agent", text}]}',
      required: true,
    },
    url: { value: 'base', summary: 'of the running server, which shares our database', required: true },
    concurrency: { value: 'N', summary: 'dialogues at the same time (50)' },
    limit: { value: 'N', summary: 'only the first N dialogues' },
    tenant: { value: 'slug', summary: 'where they are played (safego)' },
    agents: { value: 'N', summary: `who answer (one for ${DIALOGUES_PER_AGENT} dialogues at the same time)` },
  },
  async run(context) {
    const options = parse(context);
    const dialogues = await readDialogues(options.file, options.limit).catch((error: Error) => {
      throw new StartError(`task replay: ${error.message}`);
    });
    if (dialogues.length === 0) throw new StartError(`task replay: ${options.file} holds no dialogue`);
    const stage = await openStage(context, options);
    try {
      const report = await replayDialogues({
        dialogues,
        entrance: stage.entrance,
        concurrency: options.concurrency,
        userTypes: stage.tenant.userTypes,
        agents: stage.agents,
        runId: stage.runId,
        inTenant: stage.inTenant,
        onProgress: (done, all) => {
          if (done % 50 === 0 || done === all) context.log.warn({ done, all }, 'dialogues played');
        },
      });
      for (const line of reportLines(report)) context.print(line);
      for (const line of report.differences.slice(0, SHOWN_DIFFERENCES)) context.print(`  ${line}`);
      if (report.differences.length > 0) {
        throw new StartError(
          `task replay: ${report.differences.length} differences between what was sent and what is held`,
        );
      }
    } finally {
      await stage.close();
    }
  },
};

function parse(context: TaskContext): Options {
  const parsed = Options.safeParse(context.options);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new StartError(`task replay: --${issue?.path[0]?.toString()} ${issue?.message}`);
}

/** Everything around the play: the tenant, the way in, and agents who hold their role for as long as it lasts. */
async function openStage(context: TaskContext, options: Options) {
  const database = await context.database();
  const tenancy = await openTenancy({ database, log: context.log });
  const tenant = await tenancy.bySlug(options.tenant);
  await tenancy.close();
  if (!tenant) throw new StartError(`task replay: there is no tenant ${options.tenant}`);
  const sealer = createSealer(context.config.secretKey);
  const inTenant = <T>(work: (scope: Scope) => Promise<T>): Promise<T> =>
    database.withScope(tenant, systemActor(tenant.id), work);
  const rest = openRestClient(new URL(options.url), 2 * options.concurrency);
  const entrance: Entrance = {
    base: new URL(options.url),
    rest,
    vouch: (person) => inTenant(async (scope) => (await hostTokenSigner(scope, sealer))(person)),
  };
  const runId = randomUUID().slice(0, 8);
  const count = options.agents ?? Math.ceil(options.concurrency / DIALOGUES_PER_AGENT);
  const agents = Array.from({ length: count }, (_, index) => ({
    userType: 'admin',
    sub: `replay-agent-${index + 1}`,
    name: `Replay agent ${index + 1}`,
  }));
  const ids = await introduce(entrance, tenant, agents);
  await inTenant((scope) => grant(scope, ids, ['support_agent']));
  return {
    tenant,
    entrance,
    agents,
    runId,
    inTenant,
    async close(): Promise<void> {
      await inTenant((scope) => grant(scope, ids, []));
      rest.close();
    },
  };
}

/** The host vouches for the agents, which makes them known; what they may do is ours to say. Gives their ids. */
async function introduce(
  { rest, vouch }: Entrance,
  tenant: TenantInfo,
  agents: readonly HostPerson[],
): Promise<string[]> {
  const ids: string[] = [];
  for (const agent of agents) {
    const answer = await rest
      .ask('POST', '/api/support/session', { body: async () => ({ token: await vouch(agent) }) })
      .catch((error: Error) => {
        throw new StartError(`task replay: the server cannot be reached: ${error.message}`);
      });
    if (answer.status !== 201) {
      const why = `${answer.status} ${errorCode(answer.body)}`;
      throw new StartError(
        `task replay: the server refuses tenant ${tenant.slug}'s token (${why}); does it share our database?`,
      );
    }
    ids.push((answer.body as { user: { id: string } }).user.id); // 201 has the contract's shape.
  }
  return ids;
}

async function grant(scope: Scope, userIds: readonly string[], roles: readonly string[]): Promise<void> {
  for (const userId of userIds) await setRoles(scope, userId, roles);
}
