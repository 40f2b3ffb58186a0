/**
 * Imports: bringing old data in, and replaying recorded dialogues.
 *
 * A replay comes through the server's own doors like everybody else (REST and JSON sockets) and promises to say of every
 * message whether it was acknowledged, shown and held as sent. Never writes a conversation past those doors; the tables
 * are only read, to compare.
 */
import type { Task } from '../platform/jobs/index.ts';
import { replayTask } from './replay.task.ts';

/** For `npm run task`. */
export const importsTasks: readonly Task[] = [replayTask];
