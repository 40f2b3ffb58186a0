import { rewrite } from './rewrite.ts';

/** Catches up from the cursor on, instead of after it. */
rewrite('resume-from-equal', [
  {
    file: 'src/platform/realtime/hub.ts',
    find: 'subscriber.floor = resumes ? after.version : version;',
    put: 'subscriber.floor = resumes ? Math.max(0, after.version - 1) : version;',
  },
]);
