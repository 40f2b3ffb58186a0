import { z } from 'zod';

/** Parts that several schemas of the JSON API share. */

/** An id that a client made: 8-4-4-4-12 hex digits, whatever the version, as it was written. */
export const ClientId = z.guid('uuid');

/** An id of ours: small letters come out, because rooms, locks and caches are found by its text. */
export const Uuid = ClientId.toLowerCase();

/** Path with one conversation. */
export const ConversationPath = z.strictObject({ id: Uuid });

/** Path with one message of a conversation. */
export const MessagePath = z.strictObject({ id: Uuid, messageId: Uuid });

/** A count in a query: digits only, so that `1e9`, `0x10` and the empty string are refused. */
export const QueryNumber = z
  .string()
  .regex(/^\d{1,9}$/, 'whole_number')
  .transform(Number)
  .meta({ description: 'A whole number' });

/** How many rows a page holds. */
export const Limit = QueryNumber.refine((limit) => limit >= 1 && limit <= 100, 'limit_1_to_100')
  .default(50)
  .meta({ description: '1 to 100, 50 when absent' });

/** Opaque: only what an earlier page gave is taken. */
export const Cursor = z.string().min(1).max(200);

/** ISO 8601 in UTC. */
export const Time = z.iso.datetime();

/** Text of one line. PostgreSQL cannot store NUL, and a lone surrogate has no UTF-8 form. */
export function line(max: number) {
  return z
    .string()
    .trim()
    .min(1)
    .max(max)
    .refine((text) => text.isWellFormed() && !/[\u0000-\u001f\u007f]/.test(text), 'control_characters');
}

/** A page of something. */
export function listOf<T extends z.ZodType>(item: T) {
  return z.strictObject({ items: z.array(item), nextCursor: z.string().nullable() });
}
