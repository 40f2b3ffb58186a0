/**
 * Work without a request: timed jobs (one cron table for the whole program), effects outside the process that leave
 * through a durable queue, and one-off tasks (`npm run task <name>`). Wings declare them, `modules.ts` gathers them. Promises that a job runs on one node at a time, whichever leads.
 * Never runs anything by itself: `startJobs` is called by `main.ts`, `runTask` by `cli.ts`.
 */
export {
  type Delivery,
  type DurableQueue,
  type Effect,
  openDurableQueue,
  type QueueTiming,
  reviveDeadLetters,
} from './durable-queue.ts';
export { type JobRun, listJobRuns } from './job-runs.ts';
export { type Job, type JobCounts, startJobs } from './jobs.ts';
export { listTasks, runTask, type Task, type TaskContext } from './tasks.ts';
