import { rewrite } from './rewrite.ts';

/** Says resumed, and begins with what comes from now on. */
rewrite('forgets-on-resume', [
  {
    file: 'src/platform/realtime/hub.ts',
    find: 'subscriber.floor = resumes ? after.version : version;',
    put: 'subscriber.floor = version;',
  },
]);
