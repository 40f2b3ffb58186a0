import { rewrite } from './rewrite.ts';

/** Leaves out the second row of what somebody catches up with. */
rewrite('skips-a-row', [
  {
    file: 'src/platform/realtime/hub.ts',
    find: '        const frame = this.#frame(room, change, reader, from);\n        if (frame)',
    put: '        const frame = this.#frame(room, change, reader, from);\n        if (frame && change !== changes[1])',
  },
]);
