/**
 * Reports: how the support desk is doing, by numbers that can be followed to the conversations behind them.
 *
 * Owns read models made from the raw tables alone (facts of each conversation, sums of each day and month), which can
 * be thrown away and made again, and which `reports:verify` proves equal to the raw rows. Promises exact numbers: sums
 * narrow down where a percentile lies, the facts give its value. Never writes a raw table, and never stands in the way
 * of whoever sends a message: it looks for itself what has happened.
 */
export { rebuildTenant, reportTasks } from './check/reports.tasks.ts';
export { verifyTenant } from './check/verify-tenant.ts';
export {
  type ConversationReport,
  MAX_REPORTED_MESSAGES,
  readConversationReport,
  type Wait,
} from './conversation/conversation-report.ts';
export { foldJobs } from './model/fold.job.ts';
export { foldTenant } from './model/fold-tenant.ts';
