import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  cpSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { StartError } from '../config/index.ts';
import type { Log } from './database.ts';
import type { EmbeddedBinaries } from './embedded-binaries.ts';

/**
 * As whom PostgreSQL runs, and where its folder lies. PostgreSQL refuses to run as root, so root needs a way around:
 *
 * 1. a user namespace, in which the same files belong to an ordinary user (the data stays where it is, however closed
 *    the folder); 2. another user, when that one may enter the folder; 3. another user and a folder under /var/lib.
 */
export interface EmbeddedAccount {
  /** The folder that holds the cluster: `<dataDir>/postgres`, or one under /var/lib. */
  home: string;
  binaries: EmbeddedBinaries;
  /** Put in front of every command: the user namespace, or nothing. */
  prefix: string[];
  /** The user to become; absent when we stay who we are. */
  uid?: number;
  gid?: number;
}

/** A file in DATA_DIR that names the folder under /var/lib, so that a later start finds the same data again. */
const POINTER = 'postgres-folder';

/** Where PostgreSQL lives when it must leave a closed folder of root's. */
const VAR_LIB = '/var/lib/safego-support';

/**
 * Decides as whom the PostgreSQL of `dataDir` runs. Says so in the log when the data does not lie in `dataDir`.
 * @throws StartError when the folder belongs to somebody else, or root finds no way.
 */
export function chooseAccount(dataDir: string, binaries: EmbeddedBinaries, log: Log): EmbeddedAccount {
  const home = join(dataDir, 'postgres');
  const me = process.geteuid?.();
  if (me === undefined) return { home, binaries, prefix: [] };
  const owner = existsSync(home) ? statSync(home).uid : undefined;

  if (me !== 0) {
    if (owner !== undefined && owner !== me) throw new StartError(`DATA_DIR ${dataDir} belongs to another user`);
    return { home, binaries, prefix: hasName() ? [] : (namespacePrefix() ?? []) };
  }

  const pointer = join(dataDir, POINTER);
  if (existsSync(pointer)) return ordinaryUser(readFileSync(pointer, 'utf8').trim(), binaries);
  if (owner !== undefined && owner !== 0) return ordinaryUser(home, binaries);

  const prefix = namespacePrefix();
  if (prefix) return { home, binaries, prefix };

  if (mayEnter(someUser().uid, dataDir)) return ordinaryUser(home, binaries);
  const elsewhere = join(VAR_LIB, randomBytes(8).toString('hex'));
  if (owner !== undefined) cpSync(home, elsewhere, { recursive: true });
  writeFileSync(pointer, `${elsewhere}\n`);
  log.warn({}, `PostgreSQL cannot run as root in ${dataDir}: its data lies in ${elsewhere}`);
  return ordinaryUser(elsewhere, binaries);
}

/** initdb looks its user up; a container may run us under a number that has no name. */
function hasName(): boolean {
  try {
    userInfo();
    return true;
  } catch {
    return false;
  }
}

/** `unshare …` when this machine lets us have a user namespace of our own. */
function namespacePrefix(): string[] | undefined {
  if (process.platform !== 'linux') return undefined;
  const { uid, gid } = someUser();
  const prefix = ['unshare', '--user', `--map-user=${uid}`, `--map-group=${gid}`];
  const tried = spawnSync(prefix[0] ?? '', [...prefix.slice(1), 'true'], { stdio: 'ignore' });
  return tried.status === 0 ? prefix : undefined;
}

/** An ordinary user of this machine who owns nothing: `nobody`, or the first that is not root. */
function someUser(): { uid: number; gid: number } {
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .map(([name, , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }))
    .filter((user) => user.uid > 0);
  const found = users.find((user) => user.name === 'nobody') ?? users[0];
  if (!found)
    throw new StartError('PostgreSQL cannot run as root and this machine has no other user: set DATABASE_URL');
  return found;
}

/**
 * The account of the user who owns the folder, with binaries that this user can read. A folder that is new, or that was
 * root's while a namespace could be had, is given to an ordinary user first.
 */
function ordinaryUser(home: string, binaries: EmbeddedBinaries): EmbeddedAccount {
  mkdirSync(home, { recursive: true, mode: 0o755 });
  if (statSync(home).uid === 0) giveAway(home, someUser());
  const { uid, gid } = statSync(home);
  const readable = spawnSync(binaries.postgres, ['--version'], { uid, gid, stdio: 'ignore' }).status === 0;
  return { home, prefix: [], uid, gid, binaries: readable ? binaries : copyOfBinaries(binaries) };
}

function giveAway(folder: string, { uid, gid }: { uid: number; gid: number }): void {
  // lchown, so that a link never gives away what it points to.
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }))
    lchownSync(join(folder, name), uid, gid);
  lchownSync(folder, uid, gid);
}

/** The binaries once more where every user can read them. */
function copyOfBinaries(binaries: EmbeddedBinaries): EmbeddedBinaries {
  const root = join(VAR_LIB, `postgres-${binaries.version}`);
  if (!existsSync(root)) {
    const half = `${root}.${process.pid}`;
    mkdirSync(half, { recursive: true, mode: 0o755 });
    cpSync(binaries.root, half, { recursive: true, verbatimSymlinks: true });
    try {
      renameSync(half, root);
    } catch {
      // Another process was quicker with the same copy.
      rmSync(half, { recursive: true, force: true });
    }
  }
  return { ...binaries, root, initdb: join(root, 'bin', 'initdb'), postgres: join(root, 'bin', 'postgres') };
}

function mayEnter(uid: number, folder: string): boolean {
  return spawnSync('/bin/sh', ['-c', 'test -x "$1"', 'sh', folder], { uid, stdio: 'ignore' }).status === 0;
}
