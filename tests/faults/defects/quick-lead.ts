import { rewrite } from './rewrite.ts';

/** No defect: who leads must say so each quarter of a second, and closing runs each second, so that minutes are seconds. */
rewrite('quick-lead', [
  { file: 'src/platform/jobs/jobs.ts', find: 'const LEASE_MS = 10_000;', put: 'const LEASE_MS = 1_000;' },
  { file: 'src/platform/jobs/jobs.ts', find: 'const RENEW_EVERY_MS = 2_500;', put: 'const RENEW_EVERY_MS = 250;' },
  {
    file: 'src/desk/desk.ts',
    find: "sweep('desk.close-idle', '* * * * *', closeIdleIn)",
    put: "sweep('desk.close-idle', '* * * * * *', closeIdleIn)",
  },
]);
