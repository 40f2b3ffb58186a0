import { rewrite } from './rewrite.ts';

/** What changes while somebody catches up is told to them as new a second time. */
rewrite('new-twice', [
  {
    file: 'src/platform/realtime/hub.ts',
    find: 'isTold ? change.version : from',
    put: 'isTold ? from : from',
  },
]);
