import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Route } from '../../src/platform/http/index.ts';

/** What an id in a request names. */
export type Thing =
  | 'attachment'
  | 'conversation'
  | 'message'
  | 'driver'
  | 'customer'
  | 'restaurant'
  | 'admin'
  | 'savedReply'
  | 'reportView';

/** A place in a route where somebody could put an id that is not theirs. */
export interface Slot {
  readonly where: 'path' | 'query' | 'body';
  readonly name: string;
  readonly thing: Thing;
}

/** A route with its slots; `unknown` names what the generator cannot fill, which fails the test. */
export interface SlottedRoute {
  readonly route: Route;
  readonly slots: readonly Slot[];
  readonly unknown: readonly string[];
}

/** A request, ready to send. */
export interface Prepared {
  readonly method: string;
  readonly path: string;
  readonly kind: NonNullable<Route['bodyKind']>;
  readonly body: Record<string, unknown> | undefined;
}

/** What an id names, by the path segment before it. */
const BY_SEGMENT: Record<string, Thing> = {
  attachments: 'attachment',
  conversations: 'conversation',
  'support-chat': 'conversation',
  messages: 'message',
  drivers: 'driver',
  customers: 'customer',
  restaurants: 'restaurant',
  people: 'admin',
  persons: 'driver',
  'saved-replies': 'savedReply',
  views: 'reportView',
};

/** What an id names, by its own name in query and body. */
const BY_NAME: Record<string, Thing> = {
  attachmentIds: 'attachment',
  ids: 'conversation',
  conversationId: 'conversation',
  conversation: 'conversation',
  messageId: 'message',
  replyToId: 'message',
  adminId: 'admin',
  assignedAdminId: 'admin',
  agent: 'admin',
};

/** Path parameters that are no ids, and a value that exists in every tenant. */
const WORDS: Record<string, string> = {
  userType: 'driver',
  handle: 'rahim',
  language: 'en',
  token: 'x'.repeat(43),
  role: 'support_agent',
  form: 'download',
  tenant: 'nobody',
  ticket: 'x'.repeat(116),
  clientId: randomUUID(),
};

/** Ids that the sender makes up: nobody's. */
const OWN_IDS: readonly string[] = ['clientId', 'noteId'];

/** The part of a JSON schema that is looked at here. */
interface Schema {
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly minLength?: number;
  readonly minimum?: number;
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
}

/** Finds every id slot of a route: in the path, and by the schemas in query and body. */
export function slotsOf(route: Route): SlottedRoute {
  const slots: Slot[] = [];
  const unknown: string[] = [];
  const segments = route.path.split('/');
  segments.forEach((segment, index) => {
    if (!segment.startsWith(':')) return;
    const name = segment.slice(1);
    if (WORDS[name] !== undefined || OWN_IDS.includes(name)) return;
    const thing = BY_SEGMENT[segments[index - 1] ?? ''];
    if (thing) slots.push({ where: 'path', name, thing });
    else unknown.push(`${route.name}: path parameter :${name}`);
  });
  for (const where of ['query', 'body'] as const) {
    for (const [name, schema] of Object.entries(schemaOf(route[where]).properties ?? {})) {
      if (!looksLikeId(name, schema) || OWN_IDS.includes(name)) continue;
      const thing = BY_NAME[name];
      if (thing) slots.push({ where, name, thing });
      else unknown.push(`${route.name}: ${where} field ${name}`);
    }
  }
  return { route, slots, unknown };
}

/**
 * A request of this route with the ids given for its slots (by `where.name`), and the least that its schemas ask for
 * elsewhere.
 */
export function prepare(route: Route, ids: Readonly<Record<string, string>>): Prepared {
  const path = route.path.replace(/:(\w+)/g, (_, name: string) => ids[`path.${name}`] ?? WORDS[name] ?? name);
  const query = new URLSearchParams(sample('query', schemaOf(route.query), ids) as Record<string, string>);
  const kind = route.bodyKind ?? (route.method === 'GET' ? 'none' : route.face === 'json' ? 'json' : 'form');
  return {
    method: route.method,
    path: query.size > 0 ? `${path}?${query}` : path,
    kind,
    body: kind === 'none' ? undefined : sample('body', schemaOf(route.body), ids),
  };
}

function schemaOf(schema: z.ZodType | undefined): Schema {
  if (!schema) return {};
  // JSON Schema has more to it; only what the interface names is read.
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' }) as Schema;
}

function looksLikeId(name: string, schema: Schema): boolean {
  const isUuid = ({ format, anyOf }: Schema): boolean => format === 'uuid' || (anyOf?.some(isUuid) ?? false);
  return isUuid(schema) || /^id$|Ids?$/.test(name);
}

/** Required fields, and the slots that were given; what a person would type first. */
function sample(
  where: 'query' | 'body',
  schema: Schema,
  ids: Readonly<Record<string, string>>,
): Record<string, unknown> {
  const filled: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    const id = ids[`${where}.${name}`];
    // A message's text may be optional in the schema and is needed all the same.
    if (id !== undefined) filled[name] = where === 'body' && field.type === 'array' ? [id] : id;
    else if (schema.required?.includes(name) || name === 'body') filled[name] = exampleOf(field);
  }
  return filled;
}

function exampleOf(schema: Schema): unknown {
  if (schema.const !== undefined) return schema.const;
  if (schema.default !== undefined) return schema.default;
  if (schema.enum) return schema.enum[0];
  if (schema.anyOf) return exampleOf(schema.anyOf[0] ?? {});
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  if (type === 'integer' || type === 'number') return schema.minimum ?? 1;
  if (type === 'boolean') return true;
  if (type === 'array') return [];
  if (type === 'object')
    return Object.fromEntries(
      (schema.required ?? []).map((name) => [name, exampleOf(schema.properties?.[name] ?? {})]),
    );
  if (schema.format === 'uuid') return randomUUID();
  return 'probe'.padEnd(schema.minLength ?? 0, 'x');
}
