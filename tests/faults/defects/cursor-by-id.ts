import { rewrite } from './rewrite.ts';

/** Catches up by id, although ids are made before the lock is held. */
rewrite('cursor-by-id', [
  {
    file: 'migrations/Migration20261121000084_by_id.ts',
    find: 'm.version > asked.after',
    put: `m.id > coalesce((
            select k.id from messages k where k.conversation_id = asked.id and k.version = asked.after),
            '00000000-0000-0000-0000-000000000000')`,
  },
]);
