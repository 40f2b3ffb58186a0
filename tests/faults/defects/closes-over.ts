import { rewrite } from './rewrite.ts';

/** Closes what was warned, whatever was written since. */
rewrite('closes-over', [
  {
    file: 'src/desk/closing/close-idle.ts',
    find: 'if (!conversation?.isOpen() || !warning || conversation.lastSeq !== warning.warnedSeq) return false;',
    put: 'if (!conversation?.isOpen() || !warning) return false;',
  },
  {
    file: 'src/desk/closing/close-idle.ts',
    find: "or c.status <> 'open' or c.last_seq > w.warned_seq)",
    put: "or c.status <> 'open')",
  },
]);
