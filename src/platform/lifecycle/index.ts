/**
 * The life of a process: its log, its port, how it leaves. Promises that it says why it does not start in one line,
 * and that it leaves in order: no longer ready, sockets told, requests finished, database closed.
 */
export { leaveWithOneLine } from './leave.ts';
export { openLifecycle } from './lifecycle.ts';
export { listen } from './listen.ts';
export { openLog } from './log.ts';
