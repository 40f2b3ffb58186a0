import { z } from 'zod';
import { ClientId, Uuid } from './fields.schema.ts';

/** Frames of `support.v1.json` as programs send them. Unknown fields are refused: nobody may believe that they count. */

const Ref = z.union([z.string().max(200), z.int()]);
const Room = z.string().min(1).max(100);

const SubscribeFrame = z.strictObject({
  type: z.literal('subscribe'),
  room: Room,
  after: z.union([z.int().min(0), z.string().max(60)]).nullish(),
  ref: Ref.optional(),
});
const UnsubscribeFrame = z.strictObject({ type: z.literal('unsubscribe'), room: Room, ref: Ref.optional() });
const SendFrame = z.strictObject({
  type: z.literal('message:send'),
  conversationId: Uuid,
  clientId: ClientId,
  body: z.string(),
  replyToId: Uuid.nullish(),
  takeOver: z.boolean().optional(),
  ref: Ref.optional(),
});
const ReadFrame = z.strictObject({
  type: z.literal('message:read'),
  conversationId: Uuid,
  seq: z.int().min(0).max(2_147_483_647),
  ref: Ref.optional(),
});
const TypingFrame = z.strictObject({
  type: z.literal('typing'),
  conversationId: Uuid,
  isTyping: z.boolean(),
  ref: Ref.optional(),
});

const UpFrame = z.discriminatedUnion('type', [SubscribeFrame, UnsubscribeFrame, SendFrame, ReadFrame, TypingFrame]);

/** A frame from a program, checked. */
export type UpFrame = z.output<typeof UpFrame>;
/** `message:send`. */
export type SendFrame = z.output<typeof SendFrame>;
/** `message:read`. */
export type ReadFrame = z.output<typeof ReadFrame>;

/** Why a frame was not understood, with what of it can be named in the answer. */
export interface BadFrame {
  readonly code: 'not_parseable' | 'unknown_type' | 'invalid';
  readonly message: string;
  readonly fields?: Record<string, string>;
  readonly ref?: string | number;
  readonly clientId?: string;
}

/** Reads one frame. Never throws, whatever the text is. */
export function readFrame(
  text: string,
): { readonly frame: UpFrame; readonly bad?: never } | { readonly bad: BadFrame; readonly frame?: never } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { bad: { code: 'not_parseable', message: 'This is not JSON.' } };
  }
  // the way of every message: what this check takes, the schema takes too (shown by a test)
  if (isPlainSend(value)) return { frame: { ...value, conversationId: value.conversationId.toLowerCase() } };
  const parsed = UpFrame.safeParse(value);
  return parsed.success ? { frame: parsed.data } : { bad: badFrame(value, parsed.error) };
}

const UUID = /^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$/;

/** `message:send` with the three fields that it needs, and a short `ref` at most. */
export function isPlainSend(value: unknown): value is SendFrame {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  // every member is looked at below before anything believes its type; by name, because V8 searches for computed names
  const { type, conversationId, clientId, body, ref } = value as Record<string, unknown>;
  if (type !== 'message:send' || typeof body !== 'string') return false;
  if (typeof conversationId !== 'string' || !UUID.test(conversationId)) return false;
  if (typeof clientId !== 'string' || !UUID.test(clientId)) return false;
  if (ref !== undefined && (typeof ref !== 'string' || ref.length > 200)) return false;
  return Object.keys(value).length === (ref === undefined ? 4 : 5);
}

function badFrame(value: unknown, error: z.ZodError): BadFrame {
  const given = typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
  const ref = 'ref' in given ? Ref.safeParse(given.ref) : undefined;
  const clientId = 'clientId' in given ? ClientId.safeParse(given.clientId) : undefined;
  const isUnknown = error.issues.some(
    ({ code, path }) => path[0] === 'type' || (!path.length && code === 'invalid_type'),
  );
  const fields: Record<string, string> = {};
  for (const issue of error.issues.slice(0, 10)) {
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys.slice(0, 10)) fields[key.slice(0, 50)] = 'unknown_field';
    } else fields[issue.path.join('.').slice(0, 50)] = issue.code;
  }
  return {
    code: isUnknown ? 'unknown_type' : 'invalid',
    message: isUnknown ? 'There is no frame of this type.' : 'Some fields are not valid.',
    ...(isUnknown ? {} : { fields }),
    ...(ref?.success ? { ref: ref.data } : {}),
    ...(clientId?.success ? { clientId: clientId.data } : {}),
  };
}
