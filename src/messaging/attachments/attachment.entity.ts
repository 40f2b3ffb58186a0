import { defineEntity, p } from '@mikro-orm/postgresql';
import { baseColumns, tenantFilter } from '../../platform/database/index.ts';

/** `processing`: being checked, served to nobody. `deleted`: its bytes go with the next sweep. */
export type AttachmentState = 'processing' | 'ready' | 'refused' | 'deleted';

const AttachmentSchema = defineEntity({
  name: 'Attachment',
  tableName: 'attachments',
  filters: tenantFilter,
  properties: {
    ...baseColumns(),
    /** Null while the message that opens it is being written. */
    conversationId: p.uuid().nullable(),
    /** It was there before its conversation. */
    cameFirst: p.boolean().default(false),
    /** Null until a message was sent with it. */
    messageId: p.uuid().nullable(),
    uploadedBy: p.uuid(),
    clientId: p.uuid(),
    /** As it is shown; never a path. */
    fileName: p.text(),
    /** By the bytes, never by what somebody said. */
    mediaType: p.text(),
    /** Bytes that are kept. */
    size: p.bigint('number'),
    sha256: p.text(),
    /** Of what was sent, so that a repeat is known. */
    sourceSha256: p.text(),
    secureStoragePath: p.text(),
    thumbnailPath: p.text().nullable(),
    thumbnailSize: p.bigint('number').nullable(),
    width: p.integer().nullable(),
    height: p.integer().nullable(),
    state: p.text().$type<AttachmentState>(),
    refusedCode: p.text().nullable(),
    createdAt: p.datetime(),
    updatedAt: p.datetime(),
  },
});

/** One file that somebody sent. */
export class Attachment extends AttachmentSchema.class {}
AttachmentSchema.setClass(Attachment);
