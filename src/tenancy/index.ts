/**
 * Tenancy: tenants, their settings and the audit log.
 *
 * Promises that a saved setting holds on every node within a second, and that a change's audit line is written in its
 * transaction. Never changes or removes a line of the audit log (the app's role could not), and never writes text,
 * names, emails, phone numbers, URLs or tokens into it.
 */
export { auditJobs } from './audit-chain.ts';
export { AuditRecord } from './audit-record.entity.ts';
export { watchChanges } from './change-watch.ts';
export { createTenant, NewTenant, systemActor } from './create-tenant.ts';
export { type AuditFilters, type AuditLine, readAudit } from './read-audit.ts';
export { recordAudit, recordRefusal } from './record-audit.ts';
export { loadSupportSettings, saveSupportSettings } from './save-support-settings.ts';
export { DEFAULT_SUPPORT_SETTINGS, readSupportSettings, SupportSettings } from './support-settings.ts';
export { openTenancy, type Tenancy, type TenantInfo } from './tenancy.ts';
export { Tenant } from './tenant.entity.ts';

import type { Task } from '../platform/jobs/index.ts';
import { AuditRecord } from './audit-record.entity.ts';
import { auditVerifyTask } from './audit-verify.task.ts';
import { Setting } from './setting.entity.ts';
import { Tenant } from './tenant.entity.ts';

/** For src/entities.ts. */
export const tenancyEntities = [Tenant, Setting, AuditRecord] as const;

/** For `npm run task`. */
export const tenancyTasks: readonly Task[] = [auditVerifyTask];
