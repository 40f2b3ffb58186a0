import { defineEntity, p } from '@mikro-orm/postgresql';
import { tenantFilter } from '../platform/database/index.ts';

const SettingSchema = defineEntity({
  name: 'Setting',
  tableName: 'settings',
  filters: tenantFilter,
  properties: {
    tenantId: p.uuid().primary(),
    /** The tab, e.g. `support`. */
    section: p.text().primary(),
    /** Counts the saves; a form that was opened before the last save is refused. */
    version: p.integer(),
    /** As saved; fields of later versions of the app are filled with their defaults when read. */
    data: p.json().$type<Record<string, unknown>>(),
    updatedAt: p.datetime(),
    updatedBy: p.text(),
  },
});

/** One section of a tenant's settings. */
export class Setting extends SettingSchema.class {}
SettingSchema.setClass(Setting);
