import type { z } from 'zod';
import { BadRequest, Invalid, NotFound } from '../errors/index.ts';

/**
 * Input checked by its schema: a field that nobody knows is 400 `unknown_field`, everything else 422 with a code per
 * field. A schema's own message counts as code when it looks like one (`z.string().min(1, 'body_empty')`).
 */
export function validate<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const unknown = parsed.error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys' ? unknownKeys(issue) : [],
  );
  if (unknown.length > 0) {
    const fields = Object.fromEntries(unknown.map((key) => [key, 'unknown_field']));
    throw new BadRequest('unknown_field', 'A field is not known here.', fields);
  }
  throw new Invalid(Object.fromEntries(parsed.error.issues.map((issue) => [fieldName(issue.path), fieldCode(issue)])));
}

/**
 * Path parameters: of the wrong shape is the same as not there. Ids come out in small letters, because PostgreSQL takes
 * them in either case, but rooms, locks and caches are found by their text.
 */
export function validateParams<T>(schema: z.ZodType<T>, given: Readonly<Record<string, string>>): T {
  const values = Object.entries(given).map(([name, value]) => [name, UUID.test(value) ? value.toLowerCase() : value]);
  const parsed = schema.safeParse(Object.fromEntries(values));
  if (parsed.success) return parsed.data;
  throw new NotFound();
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Keys of an object schema that hold arrays, which may come several times in a query or a form. */
export function repeatableKeys(schema: z.ZodType | undefined): ReadonlySet<string> {
  const shape = definitionOf(schema)?.shape ?? {};
  return new Set(Object.keys(shape).filter((key) => isArray(shape[key])));
}

/** Names of an object schema's fields. */
export function fieldNames(schema: z.ZodType): string[] {
  return Object.keys(definitionOf(schema)?.shape ?? {});
}

/** The part of a zod definition that we look into: wrappers (`optional`, `default`, `pipe` …) name what they hold. */
interface Definition {
  readonly type: string;
  readonly shape?: Readonly<Record<string, z.ZodType>>;
  readonly innerType?: z.ZodType;
  readonly in?: z.ZodType;
}

function definitionOf(schema: z.ZodType | undefined): Definition | undefined {
  // zod publishes `def` untyped for unknown schemas; its members above are stable in zod 4
  let definition = schema?.def as unknown as Definition | undefined;
  while (definition && (definition.innerType || definition.in)) {
    definition = (definition.innerType ?? definition.in)?.def as unknown as Definition;
  }
  return definition;
}

function isArray(schema: z.ZodType | undefined): boolean {
  return definitionOf(schema)?.type === 'array';
}

function unknownKeys(issue: z.core.$ZodIssueUnrecognizedKeys): string[] {
  return issue.keys.map((key) => fieldName([...issue.path, key]));
}

/** Names come from the client where a key is unknown: cut, so that an error is never longer than what caused it. */
function fieldName(path: readonly PropertyKey[]): string {
  return path.length === 0 ? '$' : path.map(String).join('.').slice(0, 100);
}

function fieldCode(issue: z.core.$ZodIssue): string {
  if (/^[a-z][a-z0-9_]*$/.test(issue.message)) return issue.message;
  switch (issue.code) {
    case 'invalid_type':
      return issue.message.endsWith('received undefined') ? 'required' : 'wrong_type';
    case 'too_big':
      return issue.origin === 'string' || issue.origin === 'array' ? 'too_long' : 'too_large';
    case 'too_small':
      return issue.origin === 'string' || issue.origin === 'array' ? 'too_short' : 'too_small';
    case 'invalid_format':
      return 'wrong_format';
    case 'invalid_value':
      return 'not_allowed';
    default:
      return 'invalid';
  }
}
