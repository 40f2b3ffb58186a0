import { StartError } from '../platform/config/index.ts';
import type { Task } from '../platform/jobs/index.ts';
import { sealsPath } from './audit-seals-file.ts';
import { systemActor } from './create-tenant.ts';
import { openTenancy } from './tenancy.ts';
import { type AuditFinding, verifyAudit } from './verify-audit.ts';

const SENTENCES: Readonly<Record<AuditFinding['kind'], (which: string) => string>> = {
  row_altered: (id) => `row ${id} was altered`,
  row_missing: (id) => `row ${id} was deleted`,
  row_added: (id) => `row ${id} was slipped in`,
  seal_broken: (number) =>
    `seal ${number} is not ours or does not follow the one before (or SECRET_KEY is another one)`,
  seal_missing: (number) => `seal ${number} and its rows are gone; it is known outside the database`,
  seal_differs: (number) => `seal ${number} is another one than outside the database: the chain was rewritten`,
  nothing_outside: () => 'no seals are kept outside the database: give the file with --seals',
};

/** `npm run task audit:verify`: compares every tenant's audit log with its seals, inside and outside the database. */
export const auditVerifyTask: Task = {
  name: 'audit:verify',
  summary: 'compares the audit log with its seals and names every row that was altered, deleted or slipped in',
  options: { seals: { value: 'file', summary: 'the seals outside (audit-seals.jsonl in DATA_DIR)' } },
  async run({ options, config, log, database: open, print }) {
    const database = await open();
    const tenancy = await openTenancy({ database, log });
    const outsidePath = options['seals'] ?? sealsPath(config.dataDir);
    let wrong = 0;
    try {
      for (const tenant of await tenancy.active()) {
        const verdict = await database.withScope(tenant, systemActor(tenant.id), (scope) =>
          verifyAudit(scope, { secretKey: config.secretKey, outsidePath }),
        );
        const { rows, seals, unsealed, findings } = verdict;
        print(`${tenant.slug}: ${rows} rows under ${seals} seals, ${unsealed} not sealed yet`);
        for (const { kind, which } of findings) print(`${tenant.slug}: ${SENTENCES[kind](which)}`);
        wrong += findings.length;
      }
    } finally {
      await tenancy.close();
    }
    if (wrong > 0) throw new StartError(`task audit:verify: ${wrong} findings`);
    print('The audit log is as it was sealed.');
  },
};
