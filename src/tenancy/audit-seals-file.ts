import { createReadStream, existsSync } from 'node:fs';
import { appendFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** One seal as it is kept outside the database. */
export interface OutsideSeal {
  readonly tenantId: string;
  readonly number: number;
  /** Hex. */
  readonly seal: string;
}

/** The seals outside the database: one JSON object a line, only ever added to. */
export interface SealsFile {
  /** The greatest number of a tenant's seals in the file; 0 without any. Reads the file at the first call. */
  lastNumber(tenantId: string): Promise<number>;
  /** Adds lines and returns when they are on disk. */
  append(seals: readonly OutsideSeal[]): Promise<void>;
}

const FILE = 'audit-seals.jsonl';

/** Where the file lies. */
export function sealsPath(dataDir: string): string {
  return join(dataDir, FILE);
}

/** Opens the file below `dataDir`; made at the first line. Copy it elsewhere for more safety: it holds no secrets. */
export function openSealsFile(dataDir: string): SealsFile {
  const path = sealsPath(dataDir);
  let numbers: Promise<Map<string, number>> | undefined;

  async function read(): Promise<Map<string, number>> {
    const last = new Map<string, number>();
    for await (const { tenantId, number } of outsideSeals(path)) {
      last.set(tenantId, Math.max(number, last.get(tenantId) ?? 0));
    }
    return last;
  }

  return {
    async lastNumber(tenantId) {
      numbers ??= read();
      return (await numbers).get(tenantId) ?? 0;
    },
    async append(seals) {
      numbers ??= read();
      const last = await numbers;
      await mkdir(dataDir, { recursive: true });
      const lines = seals.map((seal) => `${JSON.stringify(seal)}\n`).join('');
      await appendFile(path, lines, { flush: true, mode: 0o600 });
      for (const { tenantId, number } of seals) last.set(tenantId, Math.max(number, last.get(tenantId) ?? 0));
    },
  };
}

/** All seals of a file in order; none when it is missing. A line that is none (cut off by a crash) is left out. */
export async function* outsideSeals(path: string): AsyncGenerator<OutsideSeal> {
  if (!existsSync(path)) return;
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
    const seal = parse(line);
    if (seal) yield seal;
  }
}

function parse(line: string): OutsideSeal | null {
  try {
    const { tenantId, number, seal } = JSON.parse(line) as Partial<OutsideSeal>; // checked in the next line
    const isWhole = typeof tenantId === 'string' && Number.isInteger(number) && typeof seal === 'string';
    return isWhole ? { tenantId, number: number as number, seal } : null; // an integer, as just asked
  } catch {
    return null;
  }
}
