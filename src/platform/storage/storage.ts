import { randomBytes } from 'node:crypto';
import type { Readable, Writable } from 'node:stream';
import { AppError, Unavailable } from '../errors/index.ts';
import type { StagedFile } from './staging.ts';

/** Both ends included, as in HTTP. */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
}

/** A file as the store has it. */
export interface StoredFile {
  readonly path: string;
  readonly size: number;
  readonly modifiedAt: Date;
}

/** A file that is open and on its way out. */
export interface Outgoing {
  /** Ends the sink after the last byte; rejects when the store fails or the sink is closed before. */
  to(sink: Writable): Promise<void>;
  /** To be called in any case, also when nobody takes it. */
  close(): void;
}

/** Where bytes are kept. Paths are made here, at random; whoever keeps a file keeps its path in a row. */
export interface Storage {
  /**
   * Makes a staged file durable under a new path and takes it over: it is gone from the staging afterwards.
   * @throws StorageFull when there is no room, Unavailable when the store does not answer.
   */
  put(file: StagedFile): Promise<string>;
  /** The bytes, or one range of them. Rejects when there is no such file; a failure later destroys the stream. */
  open(path: string, range?: ByteRange): Promise<Readable>;
  /** The same for who only takes it away. Rejects when there is no such file. */
  send(path: string, range?: ByteRange): Promise<Outgoing>;
  /** Null when there is no such file. */
  stat(path: string): Promise<StoredFile | null>;
  /** Done when it is gone, also when it was gone before. */
  remove(path: string): Promise<void>;
  /** Every file that the store has, in no order. */
  list(): AsyncIterable<StoredFile>;
}

/** 507: the disk is full, or so nearly that only messages may still be written. */
export class StorageFull extends AppError {
  constructor() {
    super(507, 'storage_full', 'There is no room for more files at the moment. Messages still work.');
  }
}

/** 503: the store does not answer, or cannot be written to. What went wrong is for the log alone. */
export function storageAway(reason: string): Unavailable {
  const error = new Unavailable(5, 'storage_unavailable', 'Files cannot be reached right now. Messages still work.');
  error.cause = new Error(reason);
  return error;
}

const PATH = /^[0-9a-f]{2}\/[0-9a-f]{62}$/;

/** A path that nobody can guess, spread over 256 folders. */
export function newStoragePath(): string {
  const name = randomBytes(32).toString('hex');
  return `${name.slice(0, 2)}/${name.slice(2)}`;
}

/** Whether this is a path of the form that we make; nothing else is ever given to a file system or a bucket. */
export function isStoragePath(path: string): boolean {
  return PATH.test(path);
}

/** The path itself, or a fault: a row that holds another one has been tampered with. */
export function checkedPath(path: string): string {
  if (!isStoragePath(path)) throw new Error('not a storage path');
  return path;
}
