import { rewrite } from './rewrite.ts';

/** Takes whatever a peer sends and keeps whatever it does not read. */
rewrite('no-caps', [
  {
    file: 'src/platform/realtime/web-socket.ts',
    find: 'const MAX_PAYLOAD_BYTES = 65_536;',
    put: 'const MAX_PAYLOAD_BYTES = 2_000_000_000;',
  },
  {
    file: 'src/platform/realtime/web-socket.ts',
    find: 'const MAX_FRAGMENTS = 64;',
    put: 'const MAX_FRAGMENTS = 1_000_000_000;',
  },
  {
    file: 'src/platform/realtime/socket-connection.ts',
    find: 'const MAX_WAITING_BYTES = 1_048_576;',
    put: 'const MAX_WAITING_BYTES = 1e12;',
  },
  {
    file: 'src/platform/realtime/web-socket.ts',
    find: 'const budget = limits ?',
    put: 'const budget = limits && !limits ?',
  },
]);
