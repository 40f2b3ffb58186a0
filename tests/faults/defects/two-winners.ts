import { rewrite } from './rewrite.ts';

/** Lets two agents claim one conversation at once. */
rewrite('two-winners', [
  {
    file: 'src/desk/assign-conversation.ts',
    find: 'conversationId, { lock: true });',
    put: 'conversationId);\n    await new Promise((done) => setTimeout(done, 5));',
  },
]);
