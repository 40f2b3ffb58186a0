import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Log } from '../../platform/database/index.ts';
import type { StagedFile, Staging } from '../../platform/storage/index.ts';

/** A picture written anew, and a small one of it, both in the staging. */
export interface CleanImage {
  readonly file: StagedFile;
  readonly thumbnail: StagedFile;
  readonly width: number;
  readonly height: number;
}

/** What became of a picture. `later`: others take longer than its sender should wait; the sweep does it. */
export type CleanOutcome =
  | ({ readonly kind: 'clean' } & CleanImage)
  | { readonly kind: 'refused'; readonly code: 'picture_too_large' | 'unreadable_picture' }
  | { readonly kind: 'later' };

/** Writes pictures anew, each in a process of its own. */
export interface ImageCleaner {
  /** `mediaType` is one of `isPicture()`. Leaves the file it was given. */
  clean(file: StagedFile, mediaType: string): Promise<CleanOutcome>;
}

const CHILD = fileURLToPath(new URL('./clean-image.child.mjs', import.meta.url));
/** All frames together. */
const MAX_PIXELS = 40_000_000;
const MAX_FRAMES = 300;
/** Of a processor; by the clock it may take longer, because everything else goes first. */
const MAX_CPU_MS = 10_000;
const TIMEOUT_MS = 60_000;
/** A chat goes before its pictures. */
const NICE = 19;
/** The system counts processor time in hundredths of a second. */
const TICK_MS = 10;
const MAX_MEMORY_BYTES = 400 * 1024 * 1024;
const LOOK_EVERY_MS = 50;
/** Whoever sends a picture waits so long for the pictures of others. */
const LONGEST_WAIT_MS = 8_000;

/** Pictures are cleaned side by side on all cores but one, which the chat keeps. */
export function createImageCleaner(deps: { readonly staging: Staging; readonly log: Log }): ImageCleaner {
  const lanes = Math.max(1, availableParallelism() - 1);
  const waiting: (() => void)[] = [];
  let running = 0;

  /** False when it has not come in time. */
  async function turn(patienceMs: number): Promise<boolean> {
    if (running < lanes) {
      running += 1;
      return true;
    }
    return new Promise((resolve) => {
      const mine = () => {
        clearTimeout(timer);
        resolve(true);
      };
      const timer = setTimeout(() => {
        waiting.splice(waiting.indexOf(mine), 1);
        resolve(false);
      }, patienceMs);
      waiting.push(mine);
    });
  }

  function done(): void {
    const next = waiting.shift();
    if (next) next();
    else running -= 1;
  }

  return {
    async clean(file, mediaType) {
      if (!(await turn(LONGEST_WAIT_MS))) return { kind: 'later' };
      const [output, thumbnail] = [deps.staging.place(), deps.staging.place()];
      try {
        const said = await runChild(deps.log, {
          input: file.localPath,
          output: output.localPath,
          thumbnail: thumbnail.localPath,
          format: mediaType.slice('image/'.length),
          maxPixels: MAX_PIXELS,
          maxFrames: MAX_FRAMES,
        });
        const [made, small] = said.refused ? [null, null] : [await output.adopt(), await thumbnail.adopt()];
        if (made && small && said.width && said.height) {
          return { kind: 'clean', file: made, thumbnail: small, width: said.width, height: said.height };
        }
        await Promise.all([output.discard(), thumbnail.discard()]);
        return {
          kind: 'refused',
          code: said.refused === 'picture_too_large' ? 'picture_too_large' : 'unreadable_picture',
        };
      } catch (error) {
        await Promise.all([output.discard(), thumbnail.discard()]);
        throw error;
      } finally {
        done();
      }
    },
  };
}

interface Said {
  readonly refused?: string;
  readonly width?: number;
  readonly height?: number;
}

/** What the process said; one that is ended from outside has refused the picture. */
async function runChild(log: Log, order: object): Promise<Said> {
  // nothing of our environment, so no key of ours is in a process that reads what strangers sent
  const child = spawn(
    process.execPath,
    ['--max-old-space-size=64', '--max-semi-space-size=1', CHILD, JSON.stringify(order)],
    {
      env: { MALLOC_ARENA_MAX: '2' },
      cwd: '/',
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  makeWay(child);
  const startedAt = performance.now();
  let reason: 'time' | 'memory' | undefined;
  const guard = setInterval(() => {
    if (cpuMsOf(child) > MAX_CPU_MS || performance.now() - startedAt > TIMEOUT_MS) reason = 'time';
    else if (memoryOf(child) > MAX_MEMORY_BYTES) reason = 'memory';
    if (reason) child.kill('SIGKILL');
  }, LOOK_EVERY_MS);
  try {
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', resolve);
    });
    // our own program, and short
    if (code === 0 && text !== '') return JSON.parse(text) as Said;
    log.warn({ code, reason: reason ?? 'crash' }, 'a picture was too much for its process');
    return { refused: reason ? 'picture_too_large' : 'unreadable_picture' };
  } finally {
    clearInterval(guard);
    child.kill('SIGKILL');
  }
}

/** From its first instruction on. */
function makeWay({ pid }: ChildProcess): void {
  try {
    if (pid) setPriority(pid, NICE);
  } catch {
    // it may be gone already
  }
}

/** Processor time so far, where the system tells (Linux). */
function cpuMsOf({ pid }: ChildProcess): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  } catch {
    return 0;
  }
}

/** Resident bytes, where the system tells (Linux); elsewhere the time limit stands alone. */
function memoryOf({ pid }: ChildProcess): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4_096;
  } catch {
    return 0;
  }
}
