import { rewrite } from './rewrite.ts';

/** Does not ask who may read when somebody subscribes. */
rewrite('open-to-all', [
  {
    file: 'src/messaging/live/conversation.room.ts',
    find: 'if (!opening || !mayRead(person, opening.conversation)) return null;',
    put: 'if (!opening) return null;',
  },
  {
    file: 'src/platform/realtime/hub.ts',
    find: '!(await room.kind.stillAllowed(actor, room.id))',
    put: 'room === null',
  },
]);
