import { rewrite } from './rewrite.ts';

/** A deletion is answered and told, and the text stays where it is. */
rewrite('text-stays', [
  {
    file: 'src/messaging/messages/change-message.ts',
    find: 'update messages set body = ${changed.body},',
    put: 'update messages set body = coalesce(${changed.body}, body),',
  },
]);
