/**
 * Storage: a place for bytes that are no rows. Local disk below `DATA_DIR/files`, or an S3 compatible store by setting.
 *
 * Promises that what `put` has answered for is durable (written, fsynced, renamed), that a path names exactly one file
 * that never changes, and that bytes stream: never a whole file in memory. Knows nothing of who owns a file or may read
 * it, and never makes a path out of a name that somebody gave.
 */

export { createIntake, type Intake, type IntakeLimits, type IntakePlace } from './intake.ts';
export { openStorage, type S3Options, type StorageOptions } from './open-storage.ts';
export { createStaging, type StagedFile, type Staging } from './staging.ts';
export { type ByteRange, type Storage, StorageFull, type StoredFile } from './storage.ts';
