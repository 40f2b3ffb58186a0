import { rewrite } from './rewrite.ts';

/** Believes a cursor that lies in the future. */
rewrite('future-cursor', [
  {
    file: 'src/platform/realtime/hub.ts',
    find: ' && after.epoch === this.epoch && after.version <= version',
    put: ' && after.epoch === this.epoch',
  },
]);
