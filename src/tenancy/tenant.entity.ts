import { defineEntity, p } from '@mikro-orm/postgresql';
import { ownTenantFilter } from '../platform/database/index.ts';

const TenantSchema = defineEntity({
  name: 'Tenant',
  tableName: 'tenants',
  filters: ownTenantFilter,
  properties: {
    id: p.uuid().primary(),
    /** Its name everywhere outside the database. */
    slug: p.text(),
    name: p.text(),
    userTypes: p.array(),
    /** IANA name; days of reports and filters are days there. */
    timeZone: p.text(),
    /** BCP 47, the first is the default. */
    languages: p.array(),
    status: p.text().$type<TenantStatus>(),
    createdAt: p.datetime(),
  },
});

/** Nobody comes into a suspended tenant, and nothing of it is lost. */
export type TenantStatus = 'active' | 'suspended';

/** One customer of ours: a platform with its users, admins and settings. */
export class Tenant extends TenantSchema.class {}
TenantSchema.setClass(Tenant);
