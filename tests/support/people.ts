import { createHash, randomUUID } from 'node:crypto';
import {
  assignRoles,
  BUILTIN_ROLES,
  type BuiltinRoleName,
  createBuiltinRoles,
  createHostKey,
  createSealer,
  type HostStatement,
  hostTokenSigner,
  openSession,
  type Person,
  Role,
  type SessionKind,
  User,
} from '../../src/identity/index.ts';
import { type Database, type Scope, transact } from '../../src/platform/database/index.ts';
import { newId } from '../../src/platform/text/index.ts';
import { createTenant, systemActor } from '../../src/tenancy/index.ts';

/** SECRET_KEY of the apps that tests start, so that they can open the host keys made here. */
export const TEST_SECRET_KEY: Buffer = createHash('sha256').update('only for tests').digest();

/** Somebody of a test's tenant, by the handles of the demo. */
export type Handle =
  | 'rahim'
  | 'driver-2'
  | 'ayesha'
  | 'customer-2'
  | 'kacchi-house'
  | 'restaurant-2'
  | 'agent'
  | 'agent-2'
  | 'lead'
  | 'viewer'
  | 'owner';

/** Everybody a new tenant has, users first. */
const HANDLES: readonly Handle[] = [
  'rahim',
  'driver-2',
  'ayesha',
  'customer-2',
  'kacchi-house',
  'restaurant-2',
  'agent',
  'agent-2',
  'lead',
  'viewer',
  'owner',
];

const ROLES: Partial<Record<Handle, BuiltinRoleName>> = {
  agent: 'support_agent',
  'agent-2': 'support_agent',
  lead: 'support_lead',
  viewer: 'support_viewer',
  owner: 'tenant_admin',
};
const NAMES: Record<Handle, [userType: string, name: string]> = {
  rahim: ['driver', 'Rahim Uddin'],
  'driver-2': ['driver', 'Marcus Reed'],
  ayesha: ['customer', 'Ayesha Siddika'],
  'customer-2': ['customer', 'Emily Carter'],
  'kacchi-house': ['restaurant', 'Kacchi House'],
  'restaurant-2': ['restaurant', 'Green Bowl'],
  agent: ['admin', 'Nusrat Jahan'],
  'agent-2': ['admin', 'Daniel Kim'],
  lead: ['admin', 'Tanvir Ahmed'],
  viewer: ['admin', 'Grace Lopez'],
  owner: ['admin', 'Farhana Rahman'],
};
/** `iss` of a test tenant's host. */
export const TEST_ISSUER = 'test-host';

/** A person of the tenant as tests need them. */
export interface TestPerson {
  readonly id: string;
  readonly handle: Handle;
  readonly userType: string;
  readonly name: string;
  readonly email: string;
}

/** A session as its holder has it. */
export interface TestSession {
  readonly token: string;
  readonly sessionId: string;
  readonly person: TestPerson;
  /** `{ authorization: 'Bearer …' }` */
  readonly bearer: { readonly authorization: string };
  /** `{ cookie: 'safego=…' }` */
  readonly cookie: { readonly cookie: string };
}

/** A fresh tenant, to be used by one test file alone. */
export interface TestTenant {
  readonly tenant: { readonly id: string; readonly slug: string };
  readonly people: Readonly<Record<Handle, TestPerson>>;
  /** A new host token, by handle or for anybody (`{ sub, userType, name }`). */
  hostToken(who: Handle | HostStatement, ttlSeconds?: number): Promise<string>;
  /** A session in the database, without a request. API sessions unless said otherwise. */
  signIn(handle: Handle, kind?: SessionKind): Promise<TestSession>;
  /** More agents, each with an API session. */
  moreAgents(count: number): Promise<readonly { readonly id: string; readonly token: string }[]>;
  /** A unit of work as somebody of the tenant, `system` by default. */
  asPerson<T>(who: Handle | 'system', work: (scope: Scope<Person>) => Promise<T>): Promise<T>;
}

/** Makes a tenant with users of three types and an admin of every role. */
export async function newTenant(database: Database, secretKey: Buffer = TEST_SECRET_KEY): Promise<TestTenant> {
  const id = newId();
  const tenant = { id, slug: `t-${id.replaceAll('-', '').slice(-20)}` };
  const sealer = createSealer(secretKey);
  const people = await database.withScope(tenant, systemActor(id), (scope) =>
    transact(scope, async (inside) => {
      await createTenant(inside, { slug: tenant.slug, name: `Test ${tenant.slug}` });
      createHostKey(inside, sealer, { kid: 'test-1', issuer: TEST_ISSUER, algorithm: 'HS256' });
      const roles = createBuiltinRoles(inside);
      const made = HANDLES.map((handle) => {
        const user = createUser(inside, handle);
        const role = ROLES[handle];
        if (role) assignRoles(inside, user.id, [roles.get(role)!]);
        return [handle, user] as const;
      });
      await inside.em.flush();
      return Object.fromEntries(made.map(([handle, user]) => [handle, testPerson(handle, user)])) as Record<
        Handle, // every handle was just made
        TestPerson
      >;
    }),
  );

  function asSystem<T>(work: (scope: Scope) => Promise<T>): Promise<T> {
    return database.withScope(tenant, systemActor(id), work);
  }

  return {
    tenant,
    people,
    hostToken: (who, ttlSeconds) =>
      asSystem(async (scope) => {
        const sign = await hostTokenSigner(scope, sealer);
        return sign(typeof who === 'string' ? statement(people[who]) : who, ttlSeconds);
      }),
    signIn: (handle, kind = 'api') =>
      asSystem(async (scope) => {
        const person = people[handle];
        const side = person.userType === 'admin' ? 'admin' : 'user';
        const session = openSession(scope, { id: person.id, side }, kind);
        await scope.em.flush();
        return {
          token: session.token,
          sessionId: session.sessionId,
          person,
          bearer: { authorization: `Bearer ${session.token}` },
          cookie: { cookie: `safego=${session.token}` },
        };
      }),
    moreAgents: (count) =>
      database.withScope(tenant, systemActor(id), (scope) =>
        transact(scope, async (inside) => {
          const role = await inside.em.findOneOrFail(Role, { name: 'support_agent' });
          const agents = Array.from({ length: count }, () => createUser(inside, 'agent', `more-${newId()}`));
          await inside.em.flush();
          for (const { id } of agents) assignRoles(inside, id, [role]);
          const tokens = agents.map(({ id }) => openSession(inside, { id, side: 'admin' }, 'api').token);
          await inside.em.flush();
          return agents.map(({ id }, at) => ({ id, token: tokens[at] ?? '' }));
        }),
      ),
    asPerson: (who, work) => database.withScope(tenant, actorOf(tenant, who === 'system' ? null : people[who]), work),
  };
}

function createUser(scope: Scope, handle: Handle, sub: string = handle): User {
  const [userType, name] = NAMES[handle];
  const user = scope.em.create(User, {
    id: newId(),
    tenantId: scope.tenant.id,
    userType,
    issuer: TEST_ISSUER,
    sub,
    name,
    email: `${sub}@${scope.tenant.slug}.example`,
    phone: '+8801712345678',
    country: 'BD',
    locale: 'en',
    profile: { completedTrips: 412 },
    profileAt: scope.now,
    context: null,
    contextAt: null,
    passwordHash: null,
    status: 'active',
    accessVersion: 1,
    lastSeenAt: null,
    createdAt: scope.now,
    updatedAt: scope.now,
  });
  scope.em.persist(user);
  return user;
}

function testPerson(handle: Handle, user: User): TestPerson {
  return { id: user.id, handle, userType: user.userType, name: user.name, email: user.email ?? '' };
}

function statement(person: TestPerson): HostStatement {
  return {
    sub: person.handle,
    userType: person.userType,
    name: person.name,
    email: person.email,
    locale: 'en',
    country: 'BD',
    phone: '+8801712345678',
  };
}

/** An actor with the rights of the person's role, without a session in the database. */
function actorOf(tenant: { id: string; slug: string }, person: TestPerson | null): Person {
  const capabilities = new Set(person ? capabilitiesOf(person.handle) : []);
  return {
    id: person?.id ?? 'system',
    tenantId: tenant.id,
    tenantSlug: tenant.slug,
    side: person === null || person.userType === 'admin' ? 'admin' : 'user',
    userType: person?.userType ?? 'admin',
    name: person?.name ?? 'system',
    sessionId: randomUUID(),
    accessVersion: 1,
    capabilities,
    locale: 'en',
    country: 'BD',
    can: (capability) => person === null || capabilities.has(capability),
  };
}

function capabilitiesOf(handle: Handle): readonly string[] {
  const role = ROLES[handle];
  return BUILTIN_ROLES.find((one) => one.name === role)?.capabilities ?? [];
}
