import { z } from 'zod';
import { MAX_BODY_BYTES } from './body.ts';
import type { Route } from './route.ts';
import { repeatableKeys } from './validate.ts';

/** A route with everything that can be known before the first request. */
export interface Door {
  readonly route: Route;
  readonly paramNames: readonly string[];
  readonly bodyKind: NonNullable<Route['bodyKind']>;
  readonly bodySchema: z.ZodType;
  readonly maxBodyBytes: number;
  readonly repeatableInQuery: ReadonlySet<string>;
  readonly repeatableInBody: ReadonlySet<string>;
}

/** What stands at a path: a door, or the methods that the path has instead, or nothing. */
export type Found =
  | { readonly kind: 'door'; readonly door: Door; readonly values: readonly string[] }
  | { readonly kind: 'wrong_method'; readonly allow: string }
  | { readonly kind: 'nothing' };

/** All doors, and how to find one. */
export interface RouteTable {
  readonly routes: readonly Route[];
  /** HEAD finds what GET finds. */
  find(method: string, path: string): Found;
}

interface Node {
  readonly literals: Map<string, Node>;
  any: Node | null;
  readonly doors: Map<string, Door>;
}

const NOTHING: Found = { kind: 'nothing' };
const NO_BODY = z.strictObject({});

/**
 * The registry of doors. Throws at start for a route without policy, for names or paths that come twice, and for path
 * parameters without a schema. A tree by segments instead of @koa/router's list: a literal segment wins whatever the
 * order of the wings, 405 and HEAD fall out of it, and a look-up costs the same with 5 routes and with 500.
 */
export function createRouteTable(routes: readonly Route[]): RouteTable {
  const root = createNode();
  const names = new Set<string>();
  for (const route of routes) {
    if (!route.policy || typeof route.policy.check !== 'function')
      throw new Error(`Route ${route.name} has no policy.`);
    if (names.has(route.name)) throw new Error(`Two routes are named ${route.name}.`);
    names.add(route.name);
    const door = createDoor(route);
    const node = nodeFor(root, route);
    const twin = node.doors.get(route.method);
    if (twin) throw new Error(`Routes ${twin.route.name} and ${route.name} share ${route.method} ${route.path}.`);
    node.doors.set(route.method, door);
  }

  return {
    routes,
    find(method, path) {
      const segments = path.split('/');
      const values: string[] = [];
      const node = walk(root, segments, 1, values);
      if (!node) return NOTHING;
      const door = node.doors.get(method === 'HEAD' ? 'GET' : method);
      return door ? { kind: 'door', door, values } : { kind: 'wrong_method', allow: allowedMethods(node) };
    },
  };
}

function createDoor(route: Route): Door {
  const paramNames = segmentsOf(route)
    .filter((segment) => segment.startsWith(':'))
    .map((segment) => segment.slice(1));
  if (paramNames.length > 0 && !route.params)
    throw new Error(`Route ${route.name} has path parameters without a schema.`);
  const writes = route.method !== 'GET';
  if (!writes && route.body) throw new Error(`Route ${route.name} is a GET with a body.`);
  return {
    route,
    paramNames,
    bodyKind: route.bodyKind ?? (writes ? (route.face === 'json' ? 'json' : 'form') : 'none'),
    bodySchema: route.body ?? NO_BODY,
    maxBodyBytes: route.maxBodyBytes ?? MAX_BODY_BYTES,
    repeatableInQuery: repeatableKeys(route.query),
    repeatableInBody: repeatableKeys(route.body),
  };
}

function nodeFor(root: Node, route: Route): Node {
  let node = root;
  for (const segment of segmentsOf(route)) {
    if (segment.startsWith(':')) {
      node.any ??= createNode();
      node = node.any;
    } else {
      const next = node.literals.get(segment) ?? createNode();
      node.literals.set(segment, next);
      node = next;
    }
  }
  return node;
}

function segmentsOf(route: Route): string[] {
  if (!/^(\/|(\/(:[a-zA-Z]+|[\w.-]+))+)$/.test(route.path)) {
    throw new Error(`Route ${route.name} has a path that is not made of segments and :names: ${route.path}`);
  }
  return route.path.split('/').slice(1);
}

/** Literal before name; goes back when the literal branch ends nowhere. */
function walk(node: Node, segments: readonly string[], index: number, values: string[]): Node | null {
  if (index === segments.length) return node.doors.size > 0 ? node : null;
  const segment = segments[index] ?? '';
  const literal = node.literals.get(segment);
  const found = literal ? walk(literal, segments, index + 1, values) : null;
  if (found || !node.any || segment === '') return found;
  values.push(segment);
  const named = walk(node.any, segments, index + 1, values);
  if (!named) values.pop();
  return named;
}

function allowedMethods(node: Node): string {
  return [...node.doors.keys()].flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])).join(', ');
}

function createNode(): Node {
  return { literals: new Map(), any: null, doors: new Map() };
}
