import { rewrite } from './rewrite.ts';

/** The second reader of a room sees another text. */
rewrite('other-text', [
  {
    file: 'src/platform/realtime/hub.ts',
    find: '        if (frame) connection.send(frame);\n      }\n      room.delivered',
    put: `        const isSecond = connection === [...room.subscribers][1]?.connection;
        if (frame) connection.send(isSecond ? frameOf(frame.text.replace('"body":"message', '"body":"massage'), frame.cursor) : frame);
      }
      room.delivered`,
  },
]);
