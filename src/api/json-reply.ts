import type { z } from 'zod';
import { json, type Reply } from '../platform/http/index.ts';

/**
 * An answer that its schema has let through: a member that the contract does not name is a fault of ours (500) and
 * leaves the house by no accident.
 */
export function reply<T extends z.ZodType>(schema: T, body: z.input<T>, status = 200): Reply {
  // a zod object parses to an object
  return json(schema.parse(body) as object, status);
}
