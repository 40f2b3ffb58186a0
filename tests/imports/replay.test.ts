/** `npm run task replay` as it is typed, against the running app. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { adminUrl, databaseUrl } from '../support/database.ts';
import type { TestTenant } from '../support/people.ts';
import { type RunningApp, startApp } from '../support/running-app.ts';

const SECRET_KEY = 'replay-replay-replay-replay-replay';
const CLI = new URL('../../src/cli.ts', import.meta.url).pathname;

const USER = [
  'My driver took the wrong road and I was charged for it.',
  'Yesterday at eight,\r\nfrom Banani to Gulshan.',
  'আমার ভাড়া ঠিক করে দিন',
  '  <b>&amp;</b> "quotes" and a tab\t  ',
  `A long story: ${'and then '.repeat(300)}`,
];
const AGENT = [
  'I am sorry to hear that. When was it?',
  'I see the trip.',
  'The fare is corrected: ৳ 120.',
  'Anything else?',
];

let app: RunningApp;
let tenant: TestTenant;
let admin: pg.Client;
let folder: string;

beforeAll(async () => {
  // Limits on: a replay honours them.
  app = await startApp({ SECRET_KEY, LIMITS: 'on' });
  tenant = await app.newTenant();
  admin = new pg.Client({ connectionString: adminUrl() });
  await admin.connect();
  folder = mkdtempSync(join(tmpdir(), 'replay-'));
});

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await admin?.end();
  await app?.stop();
});

function replay(file: string): Promise<{ code: number; stdout: string; stderr: string }> {
  const args = [
    CLI,
    'replay',
    '--file',
    file,
    '--url',
    app.base,
    '--tenant',
    tenant.tenant.slug,
    '--concurrency',
    '10',
  ];
  const env = { ...process.env, NODE_ENV: '', DATABASE_URL: databaseUrl(), DATA_DIR: folder, SECRET_KEY, DEMO: '0' };
  return new Promise((resolve) => {
    execFile(process.execPath, args, { env }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
    });
  });
}

function write(name: string, lines: readonly unknown[]): string {
  const file = join(folder, name);
  writeFileSync(file, `${lines.map((line) => JSON.stringify(line)).join('\n')}\n`);
  return file;
}

describe('npm run task replay', () => {
  it('plays dialogues and finds them held as they were sent', { timeout: 60_000 }, async () => {
    const dialogues = Array.from({ length: 24 }, (_, index) => ({
      id: `d${index}`,
      services: ['RideSharing_1'],
      turns: [
        ...(index % 6 === 5 ? [{ from: 'agent', text: 'Good morning! How can I help?' }] : []),
        ...USER.flatMap((text, at) => [
          { from: 'user', text: `${text}${index}` },
          ...(AGENT[at] ? [{ from: 'agent', text: AGENT[at] }] : []),
        ]),
        ...(index % 4 === 3 ? [{ from: 'user', text: 'not \0 storable' }] : []),
      ],
    }));
    const { code, stdout, stderr } = await replay(write('good.jsonl', dialogues));
    expect(stdout + stderr).toContain('24 played, 24 closed');
    expect(stdout).toContain('226 sent, 220 acknowledged, 220 delivered live, 6 refused');
    expect(stdout).toMatch(/duplicates +0\ngaps +0\nlosses +0/);
    expect(stdout).toMatch(/differences +0/);
    expect(code).toBe(0);
    const { rows } = await admin.query(
      `select count(*)::int as n from messages where tenant_id = $1 and message_type <> 'system'`,
      [tenant.tenant.id],
    );
    expect(rows[0].n).toBe(220);
    const { rows: grants } = await admin.query(
      'select 1 from role_assignments a join users u on u.id = a.user_id where u.tenant_id = $1 and u.name like $2',
      [tenant.tenant.id, 'Replay agent%'],
    );
    expect(grants, 'the agents of the replay lose their role with it').toEqual([]);
  });

  it('ends with 1 and says where, when something else is held than was sent', { timeout: 60_000 }, async () => {
    await admin.query(`
      create function spoil() returns trigger language plpgsql as $$
      begin
        if new.body = 'to be spoilt' then new.body := 'spoilt'; end if;
        return new;
      end $$`);
    await admin.query('create trigger spoil before insert on messages for each row execute function spoil()');
    try {
      const turns = [
        { from: 'user', text: 'fine' },
        { from: 'agent', text: 'to be spoilt' },
      ];
      const { code, stdout, stderr } = await replay(write('bad.jsonl', [{ id: 'bad', services: [], turns }]));
      expect(stdout).toMatch(/bad: REST: message \d differs: text/);
      expect(stdout).toMatch(/bad: database: message \d differs: text/);
      expect(stdout).toMatch(/differences +2/);
      expect(stderr).toContain('2 differences between what was sent and what is held');
      expect(code).toBe(1);
    } finally {
      await admin.query('drop trigger spoil on messages');
      await admin.query('drop function spoil');
    }
  });

  it('says in one line what is wrong with a file', async () => {
    const { code, stderr } = await replay(write('odd.jsonl', [{ id: 'odd', turns: [{ from: 'nobody', text: 'x' }] }]));
    expect(stderr).toMatch(/odd\.jsonl:1 is no dialogue/);
    expect(code).toBe(1);
  });
});
