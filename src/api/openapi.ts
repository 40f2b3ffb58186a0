import { z } from 'zod';
import type { Route } from '../platform/http/index.ts';

/** An OpenAPI 3.1 document, as far as we look into it. */
export interface OpenApi {
  readonly openapi: '3.1.0';
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: Readonly<Record<string, unknown>>;
}

/** One method of a path. */
export interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
  readonly parameters: readonly Parameter[];
  readonly requestBody?: unknown;
  readonly responses: Readonly<Record<string, unknown>>;
  readonly security: readonly unknown[];
}

interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query';
  readonly required: boolean;
  readonly schema: unknown;
}

/** What every answer that is no success looks like. */
const ErrorReply = z.strictObject({
  error: z.looseObject({
    code: z.string(),
    message: z.string(),
    fields: z.record(z.string(), z.string()).optional(),
  }),
  requestId: z.string(),
});

/** Statuses any route may answer with, besides its own. */
const ERRORS: Readonly<Record<string, string>> = {
  400: 'Not parseable, or a field that is not known',
  401: 'Nobody is signed in',
  403: 'A capability is missing',
  404: 'Absent, or not yours',
  409: 'The state is not what the caller thought',
  422: 'Parseable but not valid; `fields` says which',
  429: 'Too many; wait `Retry-After` seconds',
  503: 'Cannot be served right now; wait `Retry-After` seconds',
};

/** The document of all JSON routes, made from the very schemas that check requests and answers. */
export function openApiDocument(routes: readonly Route[]): OpenApi {
  const paths: Record<string, Record<string, Operation>> = {};
  for (const one of routes) {
    if (one.face !== 'json' || !one.path.startsWith('/api/') || !one.summary) continue;
    const path = one.path.replaceAll(/:([a-zA-Z]+)/g, '{$1}');
    paths[path] = { ...paths[path], [one.method.toLowerCase()]: operation(one) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'SafeGo Support',
      version: '1',
      description:
        'Times are ISO 8601 in UTC, ids are UUIDs. Clients ignore members that they do not know. ' +
        'A send that failed with an unknown outcome is repeated with the same clientId.',
    },
    paths,
    components: {
      schemas: { Error: jsonSchema(ErrorReply, 'output') },
      securitySchemes: { session: { type: 'http', scheme: 'bearer' } },
    },
  };
}

function operation(one: Route): Operation {
  return {
    operationId: one.name,
    summary: one.summary ?? '',
    description: `Who: ${one.policy.name}`,
    parameters: [...parameters(one.params, 'path'), ...parameters(one.query, 'query')],
    ...(one.body ? { requestBody: { required: true, content: content(jsonSchema(one.body, 'input')) } } : {}),
    responses: {
      '2XX': { description: 'Done', ...(one.reply ? { content: content(jsonSchema(one.reply, 'output')) } : {}) },
      ...Object.fromEntries(
        Object.entries(ERRORS).map(([status, description]) => [
          status,
          { description, content: content({ $ref: '#/components/schemas/Error' }) },
        ]),
      ),
    },
    security: one.policy.needsSession ? [{ session: [] }] : [],
  };
}

function parameters(schema: z.ZodType | undefined, place: 'path' | 'query'): Parameter[] {
  if (!schema) return [];
  // the JSON schema of an object schema has these members
  const { properties = {}, required = [] } = jsonSchema(schema, 'input') as {
    properties?: Record<string, unknown>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, one]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema: one,
  }));
}

function content(schema: unknown) {
  return { 'application/json': { schema } };
}

/** Inlined, so that every operation can be read by itself; what JSON Schema cannot say is left open. */
function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): unknown {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any', reused: 'inline' });
  return rest;
}
