import { rewrite } from './rewrite.ts';

/** No defect: beats each 2 seconds instead of 20, so that what they find is found in seconds. */
rewrite('quick-beat', [
  {
    file: 'src/platform/realtime/web-socket.ts',
    find: 'const BEAT_SECONDS = 20;',
    put: 'const BEAT_SECONDS = 2;',
  },
]);
