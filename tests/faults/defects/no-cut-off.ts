import { rewrite } from './rewrite.ts';

/** Does not hear that access ended. */
rewrite('no-cut-off', [
  {
    file: 'src/platform/realtime/hub.ts',
    find: 'void this.recheck(connection);\n    });\n    backplane',
    put: 'void connection;\n    });\n    backplane',
  },
]);
