import { z } from 'zod';
import { AVAILABILITY_CHOICES } from '../desk/index.ts';
import { Limit, Time, Uuid } from './fields.schema.ts';

/** An admin by name, for staff. */
const Agent = z.strictObject({ id: Uuid, name: z.string() });

/** What the desk decided by itself about a conversation, newest first. Modes, reasons and verdicts are open lists. */
export const DecisionsReply = z.strictObject({
  items: z.array(
    z.strictObject({
      mode: z.string(),
      reason: z.string(),
      chosen: Agent.nullable().meta({ description: 'Null where it was taken back' }),
      from: Agent.nullable(),
      candidates: z.array(
        z.strictObject({
          adminId: Uuid,
          name: z.string(),
          open: z.int(),
          lastServed: z.int(),
          verdict: z.string(),
        }),
      ),
      waitingSince: Time.nullable(),
      createdAt: Time,
    }),
  ),
});

/** Body of the caller's own availability. */
export const AvailabilityBody = z.strictObject({ choice: z.enum(AVAILABILITY_CHOICES) });

/** The caller's own availability. */
export const AvailabilityReply = z.strictObject({ choice: z.enum(AVAILABILITY_CHOICES), chosenAt: Time.nullable() });

/** Query of what is due. */
export const DueQuery = z.strictObject({ limit: Limit });

/** Who waits for an answer, what is due first coming first. */
export const DueReply = z.strictObject({
  items: z.array(
    z.strictObject({
      conversationId: Uuid,
      kind: z.string(),
      waitingSince: Time,
      dueAt: Time.nullable(),
      lateSince: Time.nullable(),
      assignedAdminId: Uuid.nullable(),
    }),
  ),
});

/** Whether somebody is there. */
export const SupportStateReply = z.strictObject({
  enabled: z.boolean(),
  isOpen: z.boolean(),
  opensAt: Time.nullable(),
  closesAt: Time.nullable(),
  awayMessage: z.string().nullable(),
});

/** A place in the queue, and how long people waited lately. */
export const QueueReply = z.strictObject({
  position: z.int().nullable(),
  expectedWaitSeconds: z.int().nullable(),
});
