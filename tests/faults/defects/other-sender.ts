import { rewrite } from './rewrite.ts';

/** A client id that somebody else has used counts as sent before. */
rewrite('other-sender', [
  {
    file: 'migrations/Migration20261121000086_slim_append.ts',
    find: 'where uuid_send(m.conversation_id) = uuid_send(i.conversation_id) and m.sender_id = i.sender_id',
    put: 'where uuid_send(m.conversation_id) = uuid_send(i.conversation_id)',
  },
]);
