import { rewrite } from './rewrite.ts';

/** Goes on delivering after it said 4401 or 4403. */
rewrite('talks-on', [
  {
    file: 'src/platform/realtime/web-socket.ts',
    find: '      if (!isOpen) return;\n      isOpen = false;',
    put: '      if (!isOpen || code > 4400) return;\n      isOpen = false;',
  },
]);
