import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stream } from '../../src/platform/views/index.ts';
import { type SmallApp, startSmallApp } from './small-app.ts';

describe('an event stream', () => {
  let app: SmallApp;
  beforeAll(async () => {
    app = await startSmallApp();
  });
  afterAll(() => app.close());

  it('is sent as it comes, unbuffered, one field per line, and notices that the reader left', async () => {
    const abort = new AbortController();
    const reply = await fetch(`${app.url}/events`, { signal: abort.signal });
    expect(reply.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(reply.headers.get('x-accel-buffering')).toBe('no');
    expect(reply.headers.get('cache-control')).toBe('no-store, no-transform');
    expect(reply.headers.get('content-security-policy')).toBeTruthy();
    const reader = reply.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!text.includes('forged')) text += (await reader.read()).value ?? '';
    expect(text).toBe(': open\n\nid: 1:7\ndata: <li>one\ndata: line</li>\n\nevent: beatid: forged\ndata: \n\n');
    abort.abort();
    await expect.poll(() => app.effects).toEqual(['closed']);
  });

  it('answers HEAD with its head alone', async () => {
    const reply = await fetch(`${app.url}/events`, { method: 'HEAD' });
    expect([reply.status, await reply.text()]).toEqual([200, '']);
  });
});

describe('where a fragment goes', () => {
  it('is said in the words of htmx 4', () => {
    expect(stream.upsert('#messages', '<li id="m5" data-seq="5"></li>', { key: 'data-seq' })).toBe(
      '<hx-upsert hx-target="#messages" key="data-seq" sort><li id="m5" data-seq="5"></li></hx-upsert>',
    );
    expect(stream.upsert('#c', '', { key: 'data-key', order: 'desc' })).toContain('sort="desc"');
    expect(stream.replace('#a', '<p id="a"></p>')).toBe(
      '<hx-partial hx-target="#a" hx-swap="outerMorph"><p id="a"></p></hx-partial>',
    );
    expect(stream.remove('#a')).toBe('<hx-partial hx-target="#a" hx-swap="delete"></hx-partial>');
  });

  it('is never chosen by text (T-WS12)', () => {
    for (const target of ['body', '#a, body', '#a"><script>', '#', 'find .x', '#a > b', '#é', '#1', 'this']) {
      expect(() => stream.fill(target, '')).toThrow(/Not an id selector/);
      expect(() => stream.upsert(target, '', { key: 'data-seq' })).toThrow();
    }
    expect(() => stream.upsert('#a', '', { key: 'x" onload="' })).toThrow(/Not an attribute name/);
  });
});
