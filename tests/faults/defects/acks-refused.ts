import { rewrite } from './rewrite.ts';

/** Answers a refused message as if it were stored. */
rewrite('acks-refused', [
  {
    file: 'src/api/program-socket.ts',
    find: '      return errorText(deps, error, { ref, clientId });',
    put: `      const message = { id: clientId, conversationId, seq: 1, version: 1, body, clientId };
      return JSON.stringify({ type: 'message:ack', ref, clientId, message });`,
  },
]);
