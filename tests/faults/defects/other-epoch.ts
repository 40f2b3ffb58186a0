import { rewrite } from './rewrite.ts';

/** Believes a cursor of another history. */
rewrite('other-epoch', [
  {
    file: 'src/platform/realtime/hub.ts',
    find: ' && after.epoch === this.epoch && after.version <= version',
    put: ' && after.version <= version',
  },
]);
