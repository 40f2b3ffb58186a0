import { rewrite } from './rewrite.ts';

/** What happens between the look at the log and going live is nobody's. */
rewrite('snapshot-race', [
  {
    file: 'src/platform/realtime/hub.ts',
    find: 'const goal = Math.max(version, room.delivered ?? 0);',
    put: 'const goal = version;',
  },
  {
    file: 'src/platform/realtime/hub.ts',
    find: '      if (!allowed) {',
    put: '      await new Promise((done) => setTimeout(done, 30));\n      if (!allowed) {',
  },
]);
