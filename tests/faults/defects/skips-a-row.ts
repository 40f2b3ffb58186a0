import { rewrite } from './rewrite.ts';

/** Leaves out the second row of what somebody catches up with. */
rewrite('skips-a-row', [
  {
    file: 'src/platform/realtime/hub.ts',
    find: 'if (frame) connection.send(frame);\n        if (change.firstVersion',
    put: 'if (frame && change !== changes[1]) connection.send(frame);\n        if (change.firstVersion',
  },
]);
