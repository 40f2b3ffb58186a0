import { rewrite } from './rewrite.ts';

/** Lets some frames arrive after the next one. */
rewrite('swapped', [
  {
    file: 'src/platform/realtime/hub.ts',
    find: '        if (frame) connection.send(frame);\n      }\n      room.delivered',
    put: `        if (frame && change.version % 7 === 0) {
          const late = frame;
          setTimeout(() => connection.send(late), 60);
        } else if (frame) connection.send(frame);
      }
      room.delivered`,
  },
]);
