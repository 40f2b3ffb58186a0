import { rewrite } from './rewrite.ts';

/** No defect: whoever catches up waits a moment after each page, as on a slow line, so that something can happen meanwhile. */
rewrite('slow-pages', [
  {
    file: 'src/platform/realtime/hub.ts',
    find: 'if (changes.length === PAGE) await connection.drained();',
    put: 'if (changes.length === PAGE) await new Promise((done) => setTimeout(done, 120));',
  },
]);
