import fc from 'fast-check';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RICH_TEXT_MAX_LENGTH, richText } from '../../src/platform/text/index.ts';
import { launchBrowser } from '../support/browser.ts';

const CORPUS = [
  '<script>window.hit = 1</script>',
  '<img src=x onerror="window.hit = 1">',
  '<svg onload=window.hit=1>',
  '<svg><script href="data:,window.hit=1"/></svg>',
  '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=window.hit=1&gt;">',
  '"><img src=x onerror=window.hit=1>',
  "' onmouseover='window.hit=1",
  '</li><li hx-get="/x" hx-trigger="load">',
  '<hx-partial hx-target="body"><img src=x onerror=window.hit=1></hx-partial>',
  '<hx-upsert hx-target="#messages"><li id=m1>',
  '<template hx type="partial" hx-target="body">x</template>',
  '<div data-hx-get="/x" data-hx-trigger="load">',
  '<a href="javascript:window.hit=1">x</a>',
  'javascript:window.hit=1',
  'JaVaScRiPt://https://x%0awindow.hit=1',
  'https://a.example/" onclick="window.hit=1',
  "https://a.example/' onclick='window.hit=1",
  'https://a.example/<script>window.hit=1</script>',
  'https://a.example/?q=<img src=x onerror=window.hit=1>',
  'https://a.example/&quot;onclick=window.hit=1',
  'http://user:pass@evil.example/',
  'http://[::1]:80/x',
  'http://',
  'https://.',
  'https:///evil',
  'data:text/html,<script>window.hit=1</script>',
  'vbscript:window.hit=1',
  '<style>@import "https://evil.example"</style>',
  '<link rel=stylesheet href=//evil.example>',
  '<base href=//evil.example>',
  '<meta http-equiv=refresh content="0;url=//evil.example">',
  '<form action=//evil.example><button>x',
  '<iframe srcdoc="<script>parent.hit=1</script>">',
  '<object data="data:text/html,x">',
  '<noscript><p title="</noscript><img src=x onerror=window.hit=1>">',
  '<!--<img src="--><img src=x onerror=window.hit=1>">',
  '<![CDATA[<img src=x onerror=window.hit=1>]]>',
  '<textarea></textarea><img src=x onerror=window.hit=1>',
  '<title><img src=x onerror=window.hit=1></title>',
  '&lt;img src=x onerror=window.hit=1&gt;',
  '&#x3c;img src=x onerror=window.hit=1&#x3e;',
  '\u003cscript\u003ewindow.hit=1\u003c/script\u003e',
  '<scr\0ipt>window.hit=1</script>',
  '<a\thref="https://x.example"\nid=messages name=body class=x style=x>',
  '<%= 1 %><%~ it.t %>',
  '{{constructor.constructor("window.hit=1")()}}',
  'https://xn--e1awd7f.example/\u202egpj.exe',
  'line\nbreak & <b>bold</b>\n\nhttps://a.example/x?a=1&b=2.',
];

describe('a message as HTML', () => {
  it('keeps what was typed to the letter', () => {
    expect(richText('a < b & "c"')).toBe('a &lt; b &amp; "c"');
    expect(richText('say "hi", it\'s 5 > 3')).toBe('say &quot;hi&quot;, it&#39;s 5 &gt; 3');
    expect(richText('one\ntwo')).toBe('one<br>two');
  });

  it('makes links of web addresses, without the full stop after them', () => {
    const link = (address: string) =>
      `<a href="${address}" target="_blank" rel="noopener noreferrer nofollow ugc">${address}</a>`;
    expect(richText('see https://a.example/x.')).toBe(`see ${link('https://a.example/x')}.`);
    expect(richText('(https://a.example/x_(y))')).toBe(`(${link('https://a.example/x_(y)')})`);
    expect(richText('HTTP://A.example/?a=1&b=2!')).toContain('href="HTTP://A.example/?a=1&amp;b=2"');
    for (const text of ['www.a.example', 'ftp://a.example', 'xhttps://', 'http://', 'javascript:x', 'mailto:a@b.c']) {
      expect(richText(text)).not.toContain('<a');
    }
  });

  it('costs little, whatever it is given', () => {
    const heavy = [
      'https://a.example/'.repeat(900),
      `https://a.example/${'.'.repeat(16_000)}`,
      `https://a.example/${')'.repeat(16_000)}`,
      `https://a.example/${'('.repeat(16_000)}`,
      '<'.repeat(16_000),
      '<div>'.repeat(3_200),
      `${'<b '.repeat(5_000)}https://a.example`,
      'http://'.repeat(2_300),
      '\n'.repeat(16_000),
      'x'.repeat(1_000_000),
      `${'<i>'.repeat(50_000)}https://a.example`,
    ];
    for (const text of heavy) {
      const began = performance.now();
      richText(text);
      expect([text.slice(0, 30), performance.now() - began < 300]).toEqual([text.slice(0, 30), true]);
    }
    expect(richText(`https://a.example ${'x'.repeat(RICH_TEXT_MAX_LENGTH)}`)).not.toContain('<a');
  });
});

describe('in a browser', () => {
  let browser: Browser;
  let page: Page;
  beforeAll(async () => {
    browser = await launchBrowser();
    page = await browser.newPage();
    await page.setContent('<p id="place"></p>');
  });
  afterAll(() => browser.close());

  /** What a browser made of one piece of HTML. */
  interface Shown {
    elements: { name: string; attributes: string[]; href: string | null }[];
    text: string;
  }

  /** Runs in the page, so it is written as text: our own sources know no DOM. */
  const LOOK = `async (all) => {
    const place = document.getElementById('place');
    const found = all.map((one) => {
      place.innerHTML = one;
      const elements = [...place.querySelectorAll('*')].map((element) => ({
        name: element.localName,
        attributes: element.getAttributeNames(),
        href: element.localName === 'a' ? element.protocol : null,
      }));
      for (const br of place.querySelectorAll('br')) br.replaceWith('\\n');
      return { elements, text: place.textContent };
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    return { found, hit: 'hit' in window };
  }`;

  /** Puts HTML into the page; tells its elements, their attributes, its text, and whether anything ran. */
  function shown(html: string[]): Promise<{ found: Shown[]; hit: boolean }> {
    return page.evaluate(`(${LOOK})(${JSON.stringify(html)})`);
  }

  it('would run what is not made safe', async () => {
    expect((await shown([CORPUS[1]!])).hit).toBe(true);
    await page.evaluate('delete window.hit');
  });

  it('shows exactly the text, as text, links and line breaks; nothing runs', async () => {
    const { found, hit } = await shown(CORPUS.map(richText));
    expect(hit).toBe(false);
    for (const [index, { elements, text }] of found.entries()) {
      // an HTML parser drops NUL; messages cannot hold one
      expect(text).toBe(CORPUS[index]!.replace('\0', ''));
      for (const element of elements) {
        expect(['a', 'br']).toContain(element.name);
        expect(element.attributes.filter((name) => !['href', 'target', 'rel', 'title'].includes(name))).toEqual([]);
        if (element.name === 'a') expect(element.href).toMatch(/^https?:$/);
      }
    }
  });

  it('shows any text as it is', async () => {
    const pieces = fc.constantFrom(
      '<',
      '>',
      '"',
      "'",
      '&',
      '&lt;',
      'https://a.example/',
      '\n',
      ' ',
      ')',
      '(',
      '<!--',
      ']]>',
      'x',
      'ক',
      '👍',
      '=',
      '/',
    );
    const texts = fc
      .sample(fc.array(fc.oneof(pieces, fc.string({ unit: 'grapheme', maxLength: 4 })), { maxLength: 20 }), 1_000)
      .map((parts) => parts.join(''));
    const clean = texts.map((text) => text.toWellFormed().replace(/[\0\r]/g, ''));
    const { found, hit } = await shown(clean.map(richText));
    expect(hit).toBe(false);
    for (const [index, { text }] of found.entries()) expect(text).toBe(clean[index]);
  });
});
