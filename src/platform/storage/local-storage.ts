import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Writable } from 'node:stream';
import { asStorageError } from './staging.ts';
import {
  type ByteRange,
  checkedPath,
  isStoragePath,
  newStoragePath,
  type Storage,
  type StoredFile,
} from './storage.ts';

/** Of a file on its way out. */
const PIECE_BYTES = 64 * 1024;

/** Files below a folder of the local disk, which must be on the same file system as the staging. */
export async function openLocalStorage(folder: string): Promise<Storage> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const at = (path: string) => join(folder, checkedPath(path));

  return {
    async put(file) {
      const path = newStoragePath();
      const place = at(path);
      try {
        const made = await mkdir(dirname(place), { recursive: true, mode: 0o700 });
        await rename(file.localPath, place);
        // the name is as durable as the bytes only when its folder is on the disk too
        await syncFolder(dirname(place));
        if (made) await syncFolder(folder);
      } catch (error) {
        // where the store is away this fails as well, and what failed first is what counts
        await rm(place, { force: true }).catch(() => {});
        throw asStorageError(error);
      }
      return path;
    },

    async open(path, range) {
      const place = at(path);
      return createReadStream(place, {
        fd: await opened(place),
        ...(range ? { start: range.from, end: range.to } : {}),
      });
    },

    async send(path, range) {
      const file = await opened(at(path));
      return {
        to: (sink) => copy(file, sink, range),
        close: () => void file.close().catch(() => {}),
      };
    },

    async stat(path) {
      const found = await stat(at(path)).catch((error: unknown) => {
        if (isMissing(error)) return null;
        throw asStorageError(error);
      });
      return found && { path, size: found.size, modifiedAt: found.mtime };
    },

    async remove(path) {
      await rm(at(path), { force: true });
    },

    async *list(): AsyncIterable<StoredFile> {
      for (const sub of await readdir(folder)) {
        if (!/^[0-9a-f]{2}$/.test(sub)) continue;
        for (const name of await readdir(join(folder, sub))) {
          const path = `${sub}/${name}`;
          if (!isStoragePath(path)) continue;
          const found = await stat(join(folder, path)).catch(() => null);
          if (found) yield { path, size: found.size, modifiedAt: found.mtime };
        }
      }
    },
  };
}

function opened(place: string): Promise<FileHandle> {
  return open(place, 'r').catch((error: unknown) => {
    throw asStorageError(error);
  });
}

/** One piece is read when the one before has left, into the same buffer: a download leaves no garbage, however many there are. */
async function copy(file: FileHandle, sink: Writable, range?: ByteRange): Promise<void> {
  const piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
  const end = range ? range.to + 1 : Number.POSITIVE_INFINITY;
  for (let at = range?.from ?? 0; at < end && !sink.destroyed; ) {
    const { bytesRead } = await file.read(piece, 0, Math.min(PIECE_BYTES, end - at), at);
    if (bytesRead === 0) break;
    await written(sink, piece.subarray(0, bytesRead));
    at += bytesRead;
  }
  if (!sink.destroyed) sink.end();
}

/** A line that is cut may never say what became of the last piece. */
function written(sink: Writable, piece: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const onClose = () => reject(new Error('closed before its end'));
    sink.once('close', onClose);
    sink.write(piece, (error) => {
      sink.off('close', onClose);
      if (error) reject(error);
      else resolve();
    });
  });
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
