import { rewrite } from './rewrite.ts';

/** Delivers every tenth frame twice. */
rewrite('twice', [
  {
    file: 'src/platform/realtime/hub.ts',
    find: '        if (frame) connection.send(frame);\n      }\n      room.delivered',
    put: '        if (frame) connection.send(frame);\n        if (frame && change.version % 10 === 0) connection.send(frame);\n      }\n      room.delivered',
  },
]);
