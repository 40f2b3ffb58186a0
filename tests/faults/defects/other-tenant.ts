import { rewrite } from './rewrite.ts';

/** Lets somebody of another tenant hear each frame. */
rewrite('other-tenant', [
  {
    file: 'src/platform/realtime/hub.ts',
    find: '      room.delivered = change.version;',
    put: `      room.delivered = change.version;
      for (const other of this.#connections.keys()) {
        const some = frames.find((one) => one);
        if (some && other.actor.tenantId !== room.tenantId) { other.send(some); break; }
      }`,
  },
]);
