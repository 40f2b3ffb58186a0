import { rewrite } from './rewrite.ts';

/**
 * Six places on the way of a message at which a node kills itself (kill -9), at the FAILPOINT_AT-th passage of the
 * place that FAILPOINT names:
 *
 *   before-tx       the batch is made, nothing was sent to the database
 *   after-insert    the rows are written, nothing is committed: the database lingers there, and finishes without us
 *   after-commit    the answer has arrived, nobody was told
 *   before-ack      everybody was told but the sender
 *   after-ack       the ack was handed to the kernel
 *   during-fan-out  the first reader was told, the others not
 *
 * With FAILPOINT_LATE it counts the passages after SIGUSR2.
 */
const reach = (place: string) => `(globalThis as any).reach('${place}');`;

let passages = 0;
let isArmed = !process.env['FAILPOINT_LATE'];
process.on('SIGUSR2', () => {
  isArmed = true;
});
Object.assign(globalThis, {
  reach(place: string) {
    if (!isArmed || place !== process.env['FAILPOINT']) return;
    passages += 1;
    if (passages === Number(process.env['FAILPOINT_AT'] ?? 1)) process.kill(process.pid, 'SIGKILL');
  },
});

const LINGER = process.env['FAILPOINT'] === 'after-insert' ? ', (select pg_sleep(0.04)) as lingered' : '';

rewrite('failpoints', [
  {
    file: 'src/messaging/messages/append-statement.ts',
    find: 'select ${ROW} from append_messages(',
    put: `select \${ROW}${LINGER} from append_messages(`,
  },
  {
    file: 'src/messaging/messages/append-messages.ts',
    find: '      outcomes = await callWithRetry(',
    put: `      ${reach('before-tx')}
      setTimeout(() => { ${reach('after-insert')} }, 15);
      outcomes = await callWithRetry(`,
  },
  {
    file: 'src/messaging/messages/append-messages.ts',
    find: '    const settled: Waiting[] = [];',
    put: `    ${reach('after-commit')}\n    const settled: Waiting[] = [];`,
  },
  {
    file: 'src/messaging/messages/append-messages.ts',
    find: '    if (stored.length > 0) announce(stored);',
    put: `    if (stored.length > 0) announce(stored);\n    ${reach('before-ack')}`,
  },
  {
    file: 'src/api/send-lanes.ts',
    find: '    answer(text);',
    put: `    answer(text);\n    ${reach('after-ack')}`,
  },
  {
    file: 'src/platform/realtime/hub.ts',
    find: '        if (frame) connection.send(frame);\n      }\n      room.delivered',
    put: `        if (frame) connection.send(frame);\n        ${reach('during-fan-out')}\n      }\n      room.delivered`,
  },
]);
