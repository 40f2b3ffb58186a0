import { z } from 'zod';
import { Uuid } from './fields.schema.ts';

/** A file as the contract shows it; `url` is null unless its state is `ready`. */
export const Attachment = z.strictObject({
  id: Uuid,
  fileName: z.string(),
  mediaType: z.string(),
  size: z.int(),
  state: z.string(),
  url: z.string().nullable(),
  thumbnailUrl: z.string().nullable(),
  width: z.int().nullable(),
  height: z.int().nullable(),
});

/** `{attachment}`. */
export const AttachmentReply = z.strictObject({ attachment: Attachment });

/** Path with one file. */
export const AttachmentPath = z.strictObject({ id: Uuid });
