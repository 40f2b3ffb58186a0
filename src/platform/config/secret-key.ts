import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from './config.ts';
import { StartError } from './start-error.ts';

/** A configuration that is complete: with its secret key. */
export type ReadyConfig = Config & { readonly secretKey: Buffer };

/** The configuration with a secret key in any case, see `keepSecretKey`. */
export function withSecretKey(config: Config): ReadyConfig {
  return Object.freeze({ ...config, secretKey: config.secretKey ?? keepSecretKey(config.dataDir) });
}

/**
 * The secret key of an installation that was given none: made once and kept in `dataDir` with mode 0600, so that
 * sessions and signed links outlive a restart.
 * @throws StartError when the folder cannot be written or the file is damaged.
 */
function keepSecretKey(dataDir: string): Buffer {
  const file = join(dataDir, 'secret-key');
  try {
    return readKey(file) ?? makeKey(dataDir, file);
  } catch (error) {
    if (error instanceof StartError) throw error;
    // The file system throws nothing else.
    throw new StartError(`DATA_DIR ${dataDir} cannot be written: ${(error as NodeJS.ErrnoException).code}`);
  }
}

function makeKey(dataDir: string, file: string): Buffer {
  mkdirSync(dataDir, { recursive: true });
  const half = `${file}.${process.pid}`;
  writeFileSync(half, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600 });
  try {
    // Complete or not at all; when two processes start at once the first one's key holds for both.
    linkSync(half, file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Some file systems have no hard links.
    if (code === 'EPERM' || code === 'ENOTSUP' || code === 'EOPNOTSUPP') renameSync(half, file);
    else if (code !== 'EEXIST') throw error;
  } finally {
    rmSync(half, { force: true });
  }
  return readKey(file) ?? makeKey(dataDir, file);
}

function readKey(file: string): Buffer | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const key = Buffer.from(text, 'utf8');
  if (key.length < 32)
    throw new StartError(`${file} is damaged: remove it to have a new key made (it ends all sessions)`);
  return key;
}
