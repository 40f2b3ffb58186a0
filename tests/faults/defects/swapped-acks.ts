import { rewrite } from './rewrite.ts';

/** Of two that are stored together each is told the place of the other. */
rewrite('swapped-acks', [
  {
    file: 'src/messaging/messages/append-messages.ts',
    find: "if (outcome !== 'busy' && outcome) resolve(one, outcome);",
    put: `const other = outcomes[at ^ 1];
      if (outcome !== 'busy' && outcome) resolve(one, other && other !== 'busy' ? other : outcome);`,
  },
]);
