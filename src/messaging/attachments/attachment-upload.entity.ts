import { defineEntity, p } from '@mikro-orm/postgresql';
import { baseColumns, tenantFilter } from '../../platform/database/index.ts';

const AttachmentUploadSchema = defineEntity({
  name: 'AttachmentUpload',
  tableName: 'attachment_uploads',
  filters: tenantFilter,
  properties: {
    ...baseColumns(),
    /** Null while the conversation is not there yet. */
    conversationId: p.uuid().nullable(),
    uploadedBy: p.uuid(),
    clientId: p.uuid(),
    /** As the sender calls it. */
    fileName: p.text(),
    /** Bytes that were announced. */
    size: p.bigint('number'),
    /** Bytes that are here, from the first on. */
    received: p.bigint('number'),
    createdAt: p.datetime(),
    updatedAt: p.datetime(),
  },
});

/** A file that is on its way, piece by piece. */
export class AttachmentUpload extends AttachmentUploadSchema.class {}
AttachmentUploadSchema.setClass(AttachmentUpload);
