import type { ReadyConfig } from '../../platform/config/index.ts';
import type { Log } from '../../platform/database/index.ts';
import {
  createIntake,
  type Intake,
  type IntakeLimits,
  openStorage,
  type StagedFile,
  type Staging,
  type Storage,
} from '../../platform/storage/index.ts';
import { type CleanOutcome, createImageCleaner } from './clean-image.ts';
import { createFileLinks, type FileLinks } from './file-links.ts';
import { isPicture } from './file-type.ts';
import { clamdScanner, type VirusScanner } from './virus-scanner.ts';

/** How much a person, or all people of a tenant, may have here. */
export interface Quota {
  readonly bytes: number;
  readonly files: number;
}

/** Where files are kept, how they are looked into and what their addresses are; one per process. */
export interface Files {
  readonly storage: Storage;
  readonly staging: Staging;
  /** Through which bytes of files come in. */
  readonly intake: Intake;
  /** Pieces of files that this process is taking in, by sender and client id. */
  readonly pieces: Map<string, Promise<unknown>>;
  readonly links: FileLinks;
  readonly quota: { readonly user: Quota; readonly staff: Quota; readonly tenant: Quota };
  /**
   * Looks into a staged file: for malware where there is a scanner, and pictures are written anew. Leaves the file it
   * was given. Fails closed: without an answer of the scanner it is `later`.
   */
  examine(file: StagedFile, mediaType: string): Promise<Examined>;
}

/** What looking into a file said; a file that is no picture is kept as it is (`opaque`). */
export type Examined =
  | CleanOutcome
  | { readonly kind: 'opaque' }
  | { readonly kind: 'refused'; readonly code: 'infected' };

const GIGABYTE = 1024 ** 3;
const QUOTA = {
  user: { bytes: GIGABYTE, files: 2_000 },
  staff: { bytes: 10 * GIGABYTE, files: 50_000 },
  tenant: { bytes: 200 * GIGABYTE, files: 2_000_000 },
};

/** What the files of one process need; `quota`, `scanner` and `intake` are for tests. */
export interface FilesOptions {
  readonly config: Pick<ReadyConfig, 'dataDir' | 'secretKey' | 's3' | 'filesUrl' | 'clamdUrl'>;
  readonly log: Log;
  readonly quota?: Files['quota'];
  readonly scanner?: VirusScanner;
  readonly intake?: Partial<IntakeLimits>;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
}

/** Opens the store and removes what a killed process left in its staging. */
export async function openFiles({ config, log, quota = QUOTA, clock, scanner, intake }: FilesOptions): Promise<Files> {
  const { storage, staging } = await openStorage(config);
  const cleaner = createImageCleaner({ staging, log });
  const looksFor = scanner ?? (config.clamdUrl ? clamdScanner(config.clamdUrl) : null);
  return {
    storage,
    staging,
    intake: createIntake(intake),
    pieces: new Map(),
    links: createFileLinks({ ...config, clock }),
    quota,
    async examine(file, mediaType) {
      const found = looksFor ? await looksFor.scan(file.localPath) : 'clean';
      if (found === 'infected') return { kind: 'refused', code: 'infected' };
      if (found === 'unknown') return { kind: 'later' };
      return isPicture(mediaType) ? cleaner.clean(file, mediaType) : { kind: 'opaque' };
    },
  };
}
