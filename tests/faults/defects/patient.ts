import { rewrite } from './rewrite.ts';

/** Keeps for a slow reader whatever it does not read. */
rewrite('patient', [
  {
    file: 'src/platform/realtime/socket-connection.ts',
    find: 'if (socket.writableLength > MAX_WAITING_BYTES) connection.close(1013);',
    put: '',
  },
]);
