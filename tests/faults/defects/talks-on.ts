import { rewrite } from './rewrite.ts';

/** Goes on delivering after it said 4401 or 4403. */
rewrite('talks-on', [
  {
    file: 'src/platform/realtime/socket-connection.ts',
    find: '      if (!connection.isOpen) return;\n      connection.isOpen = false;',
    put: '      if (!connection.isOpen || code > 4400) return;\n      connection.isOpen = false;',
  },
]);
