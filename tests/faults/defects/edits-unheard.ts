import { rewrite } from './rewrite.ts';

/** Whoever comes back hears of new messages, not of those that were changed meanwhile. */
rewrite('edits-unheard', [
  {
    file: 'migrations/Migration20261121000084_by_id.ts',
    find: 'm.version > asked.after',
    put: 'm.version > asked.after and m.first_version > asked.after',
  },
]);
