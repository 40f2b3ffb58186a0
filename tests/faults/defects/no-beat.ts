import { rewrite } from './rewrite.ts';

/** Never finds out that a socket is dead. */
rewrite('no-beat', [
  {
    file: 'src/platform/realtime/web-socket.ts',
    find: '          beat.ws.terminate();',
    put: '          void beat.ws;',
  },
]);
