/**
 * Imports: bringing old data in, and replaying recorded dialogues.
 *
 * A replay comes through the server's own doors like everybody else (REST and JSON sockets) and promises to say of every
 * message whether it was acknowledged, shown and held as sent; the tables are only read, to compare. A made-up volume
 * goes into the tables directly, never in production. Nothing else writes a conversation past the doors.
 */
import type { Task } from '../platform/jobs/index.ts';
import { replayTask } from './replay.task.ts';
import { seedVolumeTask } from './seed-volume.task.ts';

/** For `npm run task`. */
export const importsTasks: readonly Task[] = [replayTask, seedVolumeTask];
