import type { Task } from '../../platform/jobs/index.ts';
import { openFiles } from './files.ts';
import { orphans, type SweepDeps } from './sweep-attachments.ts';

const AT_ONCE = 500;
const SHOWN = 20;

/** What the two sides have that the other has not; ids and paths, never names. */
export interface AttachmentDifferences {
  readonly rows: number;
  /** Ids of files, and of uploads on their way, whose bytes are gone. */
  readonly rowsWithoutFile: readonly string[];
  /** Paths of bytes that no row names. */
  readonly filesWithoutRow: readonly string[];
}

/** Compares the rows with the store, both ways. Changes nothing. */
export async function compareAttachments(deps: SweepDeps, olderThan: Date): Promise<AttachmentDifferences> {
  const { database, files } = deps;
  const rowsWithoutFile: string[] = [];
  let rows = 0;
  for (let after = '00000000-0000-0000-0000-000000000000'; ; ) {
    const { rows: page } = await database.systemPool.query<{
      id: string;
      state: string;
      secure_storage_path: string;
      thumbnail_path: string | null;
    }>({
      name: 'attachment-paths',
      text: 'select id, state, secure_storage_path, thumbnail_path from attachment_paths($1, $2)',
      values: [after, AT_ONCE],
    });
    for (const row of page) {
      rows += 1;
      after = row.id;
      // the bytes of these go before their rows do
      if (row.state === 'deleted' || row.state === 'refused') continue;
      const paths = [row.secure_storage_path, ...(row.thumbnail_path ? [row.thumbnail_path] : [])];
      for (const path of paths) {
        if (await files.storage.stat(path)) continue;
        rowsWithoutFile.push(row.id);
        break;
      }
    }
    if (page.length < AT_ONCE) break;
  }
  for (let after = ''; ; ) {
    const { rows: page } = await database.systemPool.query<{ upload_id: string; path: string }>({
      name: 'chunk-paths',
      text: 'select upload_id, path from chunk_paths($1, $2)',
      values: [after, AT_ONCE],
    });
    for (const { upload_id: id, path } of page) {
      rows += 1;
      after = path;
      if (!(await files.storage.stat(path))) rowsWithoutFile.push(id);
    }
    if (page.length < AT_ONCE) break;
  }
  const filesWithoutRow: string[] = [];
  for await (const path of orphans(deps, olderThan)) filesWithoutRow.push(path);
  return { rows, rowsWithoutFile, filesWithoutRow };
}

/** `npm run task attachments:check`: file without row, row without file. Exit code 1 when there is one. */
export const attachmentsCheckTask: Task = {
  name: 'attachments:check',
  summary: 'compares the rows of attachments with the files in the store, both ways; changes nothing',
  async run({ config, log, database, print }) {
    const opened = await database();
    const { rows } = await opened.systemPool.query<{ now: Date }>('select now() as now');
    const now = rows[0]?.now ?? new Date(0);
    const files = await openFiles({ config, log, clock: () => now.getTime() });
    const found = await compareAttachments({ database: opened, files, log }, now);
    for (const id of found.rowsWithoutFile.slice(0, SHOWN)) print(`row without file: ${id}`);
    for (const path of found.filesWithoutRow.slice(0, SHOWN)) print(`file without row: ${path}`);
    const { rowsWithoutFile: lost, filesWithoutRow: left } = found;
    print(`${found.rows} rows, ${lost.length} without a file; ${left.length} files without a row`);
    if (lost.length + left.length > 0) process.exitCode = 1;
  },
};
