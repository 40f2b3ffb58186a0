import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { StorageFull, storageAway } from './storage.ts';

/** Bytes on the local disk that nobody has accepted yet. */
export interface StagedFile {
  readonly localPath: string;
  readonly size: number;
  /** Of the bytes, lower-case hex. */
  readonly sha256: string;
  /** Removes it; once it has been stored, or removed, there is nothing to remove. */
  discard(): Promise<void>;
}

/** The room in which uploads wait until it is known whether they may stay. */
export interface Staging {
  /**
   * Writes a stream to the disk, fsynced. What a `check` throws, and a source that breaks off, leaves nothing behind.
   * `check` sees every chunk before it is written, and each waits for its `turn`.
   * @throws StorageFull when the disk has no room left.
   */
  stage(
    source: AsyncIterable<Buffer>,
    check?: (chunk: Buffer, sizeBefore: number) => void,
    turn?: (bytes: number) => Promise<void>,
  ): Promise<StagedFile>;
  /** An empty place for a program of ours to write into; `adopt` makes a staged file of what it wrote. */
  place(): Place;
  /** Removes what processes that are gone have left, and everything older than ten minutes. */
  sweep(): Promise<number>;
}

/** Where something will be written. */
interface Place {
  readonly localPath: string;
  /** Null when nothing was written there. */
  adopt(): Promise<StagedFile | null>;
  discard(): Promise<void>;
}

const LEFT_OVER_MS = 10 * 60_000;
/** Below this much free space only the database and the logs may write. */
const MIN_FREE_BYTES = 32 * 1024 * 1024;
const LOOK_AT_SPACE_EVERY_BYTES = 8 * 1024 * 1024;
const PIECE_BYTES = 64 * 1024;
const SYNC_EVERY_BYTES = 2 * 1024 * 1024;

/** Opens the folder (made when missing). `minFreeBytes` and `clock` are for tests. */
export async function createStaging(
  folder: string,
  { minFreeBytes = MIN_FREE_BYTES, clock = Date.now }: { minFreeBytes?: number; clock?: () => number } = {},
): Promise<Staging> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // the process in the name tells after a crash that nobody will come back for the file
  const ours = `${process.pid}-${randomBytes(4).toString('hex')}`;
  const newPlace = () => join(folder, `${ours}-${randomBytes(16).toString('hex')}`);
  const discard = (localPath: string) => () => rm(localPath, { force: true });

  async function refuseWhenFull(): Promise<void> {
    const { bavail, bsize } = await statfs(folder);
    if (bavail * bsize < minFreeBytes) throw new StorageFull();
  }

  return {
    async stage(source, check, turn) {
      const localPath = newPlace();
      try {
        await refuseWhenFull();
        const file = await open(localPath, 'wx', 0o600);
        const hash = createHash('sha256');
        let size = 0;
        try {
          for await (const chunk of source) {
            check?.(chunk, size);
            await turn?.(chunk.length);
            if (
              Math.floor(size / LOOK_AT_SPACE_EVERY_BYTES) !==
              Math.floor((size + chunk.length) / LOOK_AT_SPACE_EVERY_BYTES)
            ) {
              await refuseWhenFull();
            }
            hash.update(chunk);
            await file.writeFile(chunk);
            // a little at a time: whoever commits a message waits for the same disk
            if (Math.floor(size / SYNC_EVERY_BYTES) !== Math.floor((size + chunk.length) / SYNC_EVERY_BYTES)) {
              await file.datasync();
            }
            size += chunk.length;
          }
          await file.sync();
        } finally {
          await file.close();
        }
        return { localPath, size, sha256: hash.digest('hex'), discard: discard(localPath) };
      } catch (error) {
        if (source instanceof Readable) source.destroy();
        await rm(localPath, { force: true });
        throw asStorageError(error);
      }
    },

    place() {
      const localPath = newPlace();
      return {
        localPath,
        discard: discard(localPath),
        async adopt() {
          const file = await open(localPath, 'r').catch(() => null);
          if (!file) return null;
          const hash = createHash('sha256');
          // the same for every piece: it leaves no garbage
          const piece = Buffer.allocUnsafe(PIECE_BYTES);
          let size = 0;
          try {
            for (let got = 1; got > 0; size += got) {
              got = (await file.read(piece)).bytesRead;
              hash.update(piece.subarray(0, got));
            }
            await file.sync();
          } finally {
            await file.close();
          }
          return { localPath, size, sha256: hash.digest('hex'), discard: discard(localPath) };
        },
      };
    },

    async sweep() {
      let removed = 0;
      for (const name of await readdir(folder)) {
        if (name.startsWith(`${ours}-`)) continue;
        const localPath = join(folder, name);
        const pid = Number(name.split('-')[0]);
        const isLeft = pid !== process.pid && !isAlive(pid);
        const found = await stat(localPath).catch(() => null);
        if (!found || !(isLeft || clock() - found.mtimeMs > LEFT_OVER_MS)) continue;
        await rm(localPath, { force: true, recursive: true });
        removed += 1;
      }
      return removed;
    },
  };
}

/** What a disk says that cannot be written to, or read from, right now: it is mounted away, broken or not ours. */
const AWAY = ['EIO', 'EROFS', 'EACCES', 'EPERM', 'ENOTDIR', 'ENOENT', 'ESTALE', 'ETIMEDOUT', 'EMFILE', 'ENFILE'];

/** What the disk says when it is full or away, in our words; everything else as it is. */
export function asStorageError(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') return new StorageFull();
  return AWAY.includes(code) ? storageAway(`the disk says ${code}`) : error;
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // somebody else's process is a process all the same
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
