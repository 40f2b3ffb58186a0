import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { safeRedirect } from '../../src/platform/http/index.ts';
import { type SmallApp, startSmallApp } from './small-app.ts';

const OURS = [
  '/',
  '/driver',
  '/driver/support/conversations/01a1fd19-ed55-7256-8a7e-d392a71636c8',
  '/admin/support-chat?status=open&q=%E0%A6%95',
  '/a#b',
  '/a?to=https://evil.example',
  '/a//b',
  '/%2F%2Fevil.example',
  '/a/%09/b',
  '/@evil.example',
  '/evil.example:80',
];

/** About 250 ways to be somewhere else. */
const ELSEWHERE: unknown[] = (() => {
  const hosts = [
    'evil.example',
    'evil.example/x',
    'evil.example:443',
    'user@evil.example',
    '[::1]',
    '127.0.0.1',
    '0x7f.1',
    'evil。example',
  ];
  const starts = [
    '//',
    '///',
    '////',
    '/\\',
    '\\/',
    '\\\\',
    '\\',
    '/\t/',
    '/\n/',
    '/\r/',
    '\t//',
    ' //',
    '\n//',
    '/ /',
    '/\u0000/',
    '\u0000//',
    '/\u0085/',
  ];
  starts.push(
    'http://',
    'https://',
    'HTTPS://',
    'http:/',
    'http:',
    'https:\\\\',
    'ftp://',
    'ws://',
    '//%00',
    '/.//',
    '/..//',
    '/./\\',
    '\u2028//',
    '\ufeff//',
  );
  const schemes = [
    'javascript:alert(1)',
    'JaVaScRiPt:alert(1)',
    'java\tscript:alert(1)',
    ' javascript:1',
    'data:text/html,<script>',
    'vbscript:x',
  ];
  const odd = [
    '',
    'driver',
    './driver',
    '../driver',
    '?x',
    '#x',
    '.',
    'about:blank',
    'blob:x',
    'file:///etc/passwd',
    'mailto:a@b',
    `/${'x'.repeat(3_000)}`,
  ];
  odd.push('/a b', '/a\r\nLocation: https://evil.example', '/a\nSet-Cookie: x=y', '/a\\b', '/\u007f', '/a\u2029b');
  return [
    ...starts.flatMap((start) => hosts.map((host) => start + host)),
    ...schemes,
    ...odd,
    null,
    undefined,
    7,
    ['/x'],
    { to: '/x' },
  ];
})();

describe('where a redirect may lead (T-ID11)', () => {
  it.each(OURS)('there: %s', (path) => {
    expect(safeRedirect(path, '/fallback')).toBe(path);
  });

  it(`never elsewhere: ${ELSEWHERE.length} addresses`, () => {
    expect(ELSEWHERE.length).toBeGreaterThan(200);
    for (const to of ELSEWHERE) expect([to, safeRedirect(to, '/fallback')]).toEqual([to, '/fallback']);
  });

  it('stays with us as browsers resolve it', () => {
    for (const to of [...OURS, ...ELSEWHERE]) {
      const url = new URL(safeRedirect(to, '/fallback'), 'https://support.example/driver/');
      expect(url.origin).toBe('https://support.example');
      expect(url.pathname.startsWith('//')).toBe(false);
    }
  });

  describe('in the Location of an answer', () => {
    let app: SmallApp;
    beforeAll(async () => {
      app = await startSmallApp();
    });
    afterAll(() => app.close());

    it('is always a path of ours', async () => {
      for (const to of [...OURS, ...ELSEWHERE.filter((value) => typeof value === 'string')]) {
        const body = new URLSearchParams({ token: 't', to });
        const reply = await fetch(`${app.url}/sso`, { method: 'POST', body, redirect: 'manual' });
        expect(reply.status).toBe(303);
        expect(reply.headers.get('location')).toBe(OURS.includes(to) ? to : '/');
        expect(reply.headers.get('set-cookie')).toBe(null);
      }
    });
  });
});
