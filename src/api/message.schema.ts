import { z } from 'zod';
import { MAX_ATTACHMENTS, REACTIONS } from '../messaging/index.ts';
import { Attachment } from './attachment.schema.ts';
import { Cursor, Limit, listOf, QueryNumber, Time, Uuid } from './fields.schema.ts';

/** Text of a message; its rules (length in characters, NUL, surrogates) are those of every door, so not told here. */
export const MessageText = z.string();

/** A message as the contract shows it. */
export const Message = z
  .strictObject({
    id: Uuid,
    conversationId: Uuid,
    seq: z.int(),
    version: z.int(),
    senderType: z.string(),
    sender: z.strictObject({ id: Uuid.nullable(), userType: z.string(), name: z.string() }),
    messageType: z.string(),
    event: z.string().nullable(),
    data: z.record(z.string(), z.unknown()).nullable(),
    body: z.string().nullable(),
    attachments: z.array(Attachment).readonly(),
    replyToId: Uuid.nullable(),
    reactions: z
      .array(
        z.strictObject({
          reaction: z.string(),
          participant: z.strictObject({ id: Uuid.nullable(), senderType: z.string(), name: z.string() }),
        }),
      )
      .readonly(),
    read: z.boolean(),
    clientId: Uuid,
    createdAt: Time,
    editedAt: Time.nullable(),
    deletedAt: Time.nullable(),
  })
  .meta({ id: 'Message' });

/** `{message}`. */
export const MessageReply = z.strictObject({ message: Message });

/** A page of messages. */
export const MessageListReply = listOf(Message);

/** Body of a new message. */
export const MessageBody = z.strictObject({
  /** May be left out when there are attachments. */
  body: MessageText.optional(),
  clientId: Uuid,
  attachmentIds: z.array(Uuid).max(MAX_ATTACHMENTS).optional(),
  replyToId: Uuid.nullish(),
  takeOver: z.boolean().optional(),
});

/** Body of an edit. */
export const EditBody = z.strictObject({ body: MessageText });

/** Body of a reaction. */
export const ReactionBody = z.strictObject({ reaction: z.enum(REACTIONS) });

/** Which part of the log. At most one of the four. */
export const MessageListQuery = z
  .strictObject({
    after: QueryNumber.optional(),
    before: QueryNumber.optional(),
    changedAfter: QueryNumber.optional(),
    cursor: Cursor.optional(),
    limit: Limit,
  })
  .refine(
    ({ after, before, changedAfter, cursor }) =>
      [after, before, changedAfter, cursor].filter((one) => one !== undefined).length <= 1,
    'only_one_of_after_before_changed_after_cursor',
  );
