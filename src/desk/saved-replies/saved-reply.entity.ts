import { defineEntity, p } from '@mikro-orm/postgresql';
import { baseColumns, tenantFilter } from '../../platform/database/index.ts';

const SavedReplySchema = defineEntity({
  name: 'SavedReply',
  tableName: 'saved_replies',
  filters: tenantFilter,
  properties: {
    ...baseColumns(),
    /** What is typed after the slash; unique in the tenant. */
    shortcut: p.text(),
    title: p.text(),
    /** May hold `{{customer}}`, `{{agent}}`, `{{conversation}}`. */
    body: p.text(),
    createdBy: p.uuid(),
    updatedBy: p.uuid(),
    createdAt: p.datetime(),
    updatedAt: p.datetime(),
  },
});

/** An answer that is kept to be used again, by everybody who answers. */
export class SavedReply extends SavedReplySchema.class {}
SavedReplySchema.setClass(SavedReply);
