/**
 * Reports: how the support desk is doing, by numbers that can be followed to the conversations behind them.
 *
 * Owns read models made from the raw tables alone (facts of each conversation, sums of each day and month), which can
 * be thrown away and made again, and which `reports:verify` proves equal to the raw rows. Promises exact numbers: sums
 * narrow down where a percentile lies, the facts give its value. Never writes a raw table, and never stands in the way
 * of whoever sends a message: it looks for itself what has happened.
 */
export { type AgentRow, readAgents } from './agents.ts';
export { type ReportChoices, readChoices } from './ask/choices.ts';
export type { ReportFilter } from './ask/filter.ts';
export { AGES, type Age } from './ask/open-now.ts';
export type { Spread } from './ask/percentiles.ts';
export { PERIODS, type Period, type PeriodName, periodOf } from './ask/period.ts';
export {
  BEHIND,
  type Behind,
  type BehindAsked,
  type BehindRow,
  isOfNow,
  isPlace,
  readBehind,
  readPage,
} from './behind.ts';
export { type ColumnChart, columnChart } from './charts/columns.ts';
export { type HeatMap, heatMap } from './charts/heat-map.ts';
export { rebuildTenant, reportTasks } from './check/reports.tasks.ts';
export { verifyTenant } from './check/verify-tenant.ts';
export {
  type ConversationReport,
  MAX_REPORTED_MESSAGES,
  readConversationReport,
  type Wait,
} from './conversation/conversation-report.ts';
export { type AgentNow, type DeskNow, readDeskNow, type WaitNow } from './live/desk-now.ts';
export type { Counter, Duration } from './measures.ts';
export { foldJobs } from './model/fold.job.ts';
export { foldTenant } from './model/fold-tenant.ts';
export type { ReportState } from './model/report-state.ts';
export {
  type Overview,
  type RatingSummary,
  type ReportTargets,
  readOverview,
  type SpreadPair,
  targetOf,
} from './overview.ts';
export {
  deleteReportView,
  KEPT_REPORTS,
  type KeptReport,
  listReportViews,
  MAX_VIEW_NAME,
  type NewReportView,
  type ReportView,
  saveReportView,
} from './saved/report-views.ts';
export {
  oweWeeklyReports,
  type WeeklyReportDeps,
  weeklyReportEffect,
  weeklyReportJobs,
} from './saved/weekly-report.ts';
