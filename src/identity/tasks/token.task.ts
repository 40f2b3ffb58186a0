import { z } from 'zod';
import { StartError } from '../../platform/config/index.ts';
import type { Task, TaskContext } from '../../platform/jobs/index.ts';
import { openTenancy, systemActor, type Tenancy, type TenantInfo } from '../../tenancy/index.ts';
import { demoPerson } from '../demo/demo-people.ts';
import { MAX_LIFETIME_SECONDS } from '../host-keys/host-token.input.ts';
import { createSealer } from '../host-keys/sealed-secret.ts';
import { type HostStatement, hostTokenSigner } from '../host-keys/sign-host-token.ts';
import { ADMIN } from '../users/user.entity.ts';

const Options = z.object({
  as: z.string().optional(),
  type: z.string().optional(),
  sub: z.string().min(1).max(190).optional(),
  name: z.string().min(1).max(180).optional(),
  tenant: z.string().optional(),
  ttl: z.coerce.number().int().min(1).max(MAX_LIFETIME_SECONDS).default(MAX_LIFETIME_SECONDS),
  count: z.coerce.number().int().min(1).max(100_000).optional(),
});
type Options = z.output<typeof Options>;

/** `npm run task token`: prints host tokens, as a host's server would make them. */
export const tokenTask: Task = {
  name: 'token',
  summary: 'prints a host token (a JWT that POST /sso and POST /api/support/session take, once)',
  options: {
    as: { value: 'handle', summary: 'a demo person, e.g. rahim or agent' },
    type: { value: 'user_type', summary: 'or anybody: their user type' },
    sub: { value: 'id', summary: 'their id in the host app' },
    name: { value: 'name', summary: 'their name (the id unless given)' },
    tenant: { value: 'slug', summary: 'of this tenant (safego, or the only one)' },
    ttl: { value: 'seconds', summary: `lives so long, ${MAX_LIFETIME_SECONDS} at most` },
    count: { value: 'N', summary: 'N tokens, one a line, for <id>1 to <id>N' },
  },
  async run(context) {
    const options = parse(context);
    const database = await context.database();
    const tenancy = await openTenancy({ database, log: context.log });
    try {
      const tenant = await tenantOf(tenancy, options);
      const people = statements(options, tenant);
      await database.withScope(tenant, systemActor(tenant.id), async (scope) => {
        const sign = await hostTokenSigner(scope, createSealer(context.config.secretKey));
        for (const person of people) context.print(sign(person, options.ttl));
      });
    } finally {
      await tenancy.close();
    }
  },
};

function parse(context: TaskContext): Options {
  const parsed = Options.safeParse(context.options);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new StartError(`task token: --${issue?.path[0]?.toString()} ${issue?.message}`);
  }
  const options = parsed.data;
  if (options.as !== undefined && (options.type ?? options.sub) !== undefined) {
    throw new StartError('task token: either --as, or --type and --sub');
  }
  if (options.as === undefined && (options.type === undefined || options.sub === undefined)) {
    throw new StartError('task token: give --as <handle>, or --type <user_type> and --sub <id>');
  }
  return options;
}

async function tenantOf(tenancy: Tenancy, options: Options): Promise<TenantInfo> {
  const person = options.as === undefined ? null : demoPerson(options.as);
  if (options.as !== undefined && !person) throw new StartError(`task token: there is no demo person ${options.as}`);
  const active = await tenancy.active();
  const slug = options.tenant ?? person?.tenantSlug ?? (active.length === 1 ? active[0]?.slug : 'safego');
  const tenant = active.find((one) => one.slug === slug);
  if (!tenant) throw new StartError(`task token: there is no tenant ${slug}`);
  return tenant;
}

function statements(options: Options, tenant: TenantInfo): HostStatement[] {
  const person = options.as === undefined ? null : demoPerson(options.as);
  if (person) return Array.from({ length: options.count ?? 1 }, () => demoStatement(person));
  const { type: userType = '', sub = '', name, count } = options;
  if (userType !== ADMIN && !tenant.userTypes.includes(userType)) {
    throw new StartError(
      `task token: tenant ${tenant.slug} has no user type ${userType} (${tenant.userTypes.join(', ')}, admin)`,
    );
  }
  if (count === undefined) return [{ userType, sub, name: name ?? sub }];
  return Array.from({ length: count }, (_, at) => ({
    userType,
    sub: `${sub}${at + 1}`,
    name: `${name === undefined ? sub : `${name} `}${at + 1}`,
  }));
}

function demoStatement(person: NonNullable<ReturnType<typeof demoPerson>>): HostStatement {
  const { handle, userType, name, email, phone, country, locale, profile, context } = person;
  return { sub: handle, userType, name, email, phone, country, locale, profile, context };
}
