import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';

/** What the program's log writes to stderr for these lines of code, in a process of its own. */
function logged(code: string): string {
  const source = `import { openLog } from './src/platform/lifecycle/index.ts';
    const log = openLog('debug');
    ${code}`;
  return execFileSync('/bin/sh', ['-c', '"$0" --input-type=module -e "$1" 2>&1', process.execPath, source], {
    encoding: 'utf8',
  });
}

test('an error is told by name, code and place, never with the row that PostgreSQL quotes', () => {
  const line = logged(`
    const quoting = Object.assign(new Error('value too long: rahim@example.com'), {
      code: '23505', constraint: 'users_email', detail: 'Key (email)=(rahim@example.com) already exists.',
    });
    log.error({ err: quoting }, 'a frame failed');`);
  expect(JSON.parse(line)).toMatchObject({
    msg: 'a frame failed',
    err: { name: 'Error', code: '23505', constraint: 'users_email', at: expect.any(Array) },
  });
  expect(line).not.toContain('rahim@example.com');
});

test('an error of our own keeps its message', () => {
  expect(JSON.parse(logged(`log.warn({ err: new Error('the line broke') }, 'again');`)).err.message).toBe(
    'the line broke',
  );
});
