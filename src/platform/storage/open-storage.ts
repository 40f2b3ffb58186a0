import { join } from 'node:path';
import { openLocalStorage } from './local-storage.ts';
import { openS3Storage, type S3Options } from './s3-storage.ts';
import { createStaging, type Staging } from './staging.ts';
import type { Storage } from './storage.ts';

export type { S3Options } from './s3-storage.ts';

/** Where files go, as the environment says. */
export interface StorageOptions {
  readonly dataDir: string;
  readonly s3?: S3Options | undefined;
}

/** Opens the store and the staging beside it, and removes what a killed process left there. */
export async function openStorage({ dataDir, s3 }: StorageOptions): Promise<{ storage: Storage; staging: Staging }> {
  const folder = join(dataDir, 'files');
  const staging = await createStaging(join(folder, 'staging'));
  await staging.sweep();
  return { storage: s3 ? openS3Storage(s3) : await openLocalStorage(join(folder, 'stored')), staging };
}
