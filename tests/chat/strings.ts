/**
 * Texts known to break software, by what they try. Control characters, direction, emoji, marks, scripts, long words, markup,
 * and what looks like code to somebody on the way. All of them may be sent: none is empty, holds NUL or half a character.
 */
export function awkwardStrings(): readonly string[] {
  const all = [
    ...controls(),
    ...directions(),
    ...invisible(),
    ...emoji(),
    ...marks(),
    ...scripts(),
    ...longWords(),
    ...spaces(),
    ...MARKUP,
    ...markupVariants(),
    ...LINKS,
    ...CODE,
  ];
  return [...new Set(all)].filter((text) => text.trim() !== '' && text.isWellFormed() && !text.includes('\0'));
}

const char = (code: number) => String.fromCodePoint(code);
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => char(from + n));

function controls(): string[] {
  const c0 = range(0x01, 0x1f).filter((one) => one !== '\r');
  return [...c0, ...range(0x7f, 0x9f)].flatMap((one) => [`a${one}b`, `${one}x`]);
}

function directions(): string[] {
  const marks = [...range(0x202a, 0x202e), ...range(0x2066, 0x2069), '\u200e', '\u200f', '\u061c'];
  return [
    ...marks.map((one) => `pay ${one}gpj.exe 100 BDT`),
    ...marks.map((one) => `${one}`.repeat(50).concat('end')),
    'مرحبا hello مرحبا 123 שלום',
    '‮reversed for ever',
    'שלום (hello) [world] {!}',
    'الرصيد: -1,234.50 ٫ ١٢٣٤',
  ];
}

function invisible(): string[] {
  const codes = [
    0x200b, 0x200c, 0x200d, 0x2060, 0x2061, 0x2062, 0x2063, 0x2064, 0xfeff, 0xad, 0x180e, 0xfff9, 0xfffa, 0xfffb,
  ];
  const more = [
    0xfffc, 0xfffd, 0xfffe, 0xffff, 0x1fffe, 0x10ffff, 0xe000, 0xf8ff, 0x100000, 0x2028, 0x2029, 0x85, 0xa0, 0x3000,
  ];
  const tags = [...'hidden'].map((one) => char(0xe0000 + (one.codePointAt(0) ?? 0))).join('');
  return [...codes, ...more]
    .flatMap((code) => [`in${char(code)}side`, `${char(code)}front`])
    .concat([
      `tags ${char(0xe0001)}${tags}${char(0xe007f)}`,
      `${'\u200d'.repeat(500)}joined`,
      'variation \ufe00\ufe01\ufe0e\ufe0f selectors',
    ]);
}

function emoji(): string[] {
  const tones = range(0x1f3fb, 0x1f3ff);
  const flags = ['BD', 'US', 'GB', 'XX', 'ZZ'].map((code) =>
    [...code].map((one) => char(0x1f1a5 + one.charCodeAt(0))).join(''),
  );
  const codes = [0x1f600, 0x1f9d1, 0x1f680, 0x2764, 0x1f468, 0x1f44d, 0x1f1e7, 0x1f1e9, 0x20e3, 0x1fae8];
  const family = [0x1f468, 0x200d, 0x1f469, 0x200d, 0x1f467, 0x200d, 0x1f466].map(char).join('');
  return [
    ...codes.map(char),
    ...tones.map((tone) => char(0x1f44d) + tone),
    ...flags,
    family,
    family.repeat(100),
    `${char(0x1f468)}\u200d`,
    `\u200d${char(0x1f468)}`,
    `1\ufe0f\u20e3 2\u20e3`,
    char(0x1f600).repeat(1_000),
    `${char(0x1f3f4)}${[...'gbeng'].map((one) => char(0xe0000 + (one.codePointAt(0) ?? 0))).join('')}${char(0xe007f)}`,
  ];
}

function marks(): string[] {
  const stack = range(0x0300, 0x036f).join('');
  return [
    ...[1, 10, 100, 1_000, 3_900].map((count) => `e${stack.repeat(40).slice(0, count)}`),
    [...'HE COMES'].map((one) => one + stack.slice(0, 30)).join(''),
    `${stack}begins with marks`,
    `o${'\u20dd'.repeat(20)}`,
    `x${'\u0e49'.repeat(300)}`,
    `ก${'\u0e47'.repeat(50)}`,
    `${'\u0f73'.repeat(60)}`,
    '\ufdfd'.repeat(40),
    'ক্ষ্ম্যৈঁ'.repeat(50),
    'জ্ঞা '.repeat(20),
    'e\u0301 é e\u0301\u0301',
    'ﬁ ﬂ ﬃ Ａ１ ² Ⅷ ㎏',
    'İstanbul ıI ß ẞ ŉ ǰ',
    '한국 한국',
    'నా\u200cజ్ఞ\u200cా',
  ];
}

function scripts(): string[] {
  const starts = [
    0x00c0, 0x0100, 0x0370, 0x0410, 0x0531, 0x05d0, 0x0627, 0x0710, 0x0784, 0x07ca, 0x0905, 0x0985, 0x0a05, 0x0a85,
    0x0b05, 0x0b85, 0x0c05, 0x0c85, 0x0d05, 0x0d85, 0x0e01, 0x0e81, 0x0f40, 0x1000, 0x10a0, 0x1100, 0x1200, 0x13a0,
    0x1401, 0x1681, 0x16a0, 0x1703, 0x1780, 0x1820, 0x1900, 0x1950, 0x1a00, 0x1b05, 0x1b83, 0x1c00, 0x1c5a, 0x2200,
    0x2500, 0x2580, 0x2700, 0x2800, 0x2c00, 0x2c80, 0x2d30, 0x3041, 0x30a1, 0x3105, 0x3200, 0x4e00, 0xa000, 0xa4d0,
    0xa500, 0xa840, 0xa882, 0xac00, 0xfb1d, 0xfe10, 0xff21, 0x10000, 0x10280, 0x10330, 0x10400, 0x10900, 0x12000,
    0x13000, 0x1d400, 0x1d538, 0x20000, 0x2f800,
  ];
  return starts.map((start) => range(start, start + 11).join(''));
}

function longWords(): string[] {
  const units = ['a', 'W', '一', '.', '-', '_', '/', '|', '0', 'אa', '\u00a0', 'क्ष', '&', '<', 'ক', '​x', '(', '😀'];
  return units.map((unit) => unit.repeat(Math.floor(2_400 / unit.length)).concat('!'));
}

function spaces(): string[] {
  return [
    '  two before',
    'two after  ',
    'many    inside',
    '\ttab first\tand between',
    'line\n\n\n\n\nfar below',
    `many lines${'\n'.repeat(300)}end`,
    Array.from({ length: 200 }, (_, n) => `line ${n}`).join('\n'),
    'ends with lines\n\n',
    '\n\nbegins with lines',
    'a lone\rreturn',
    'form\ffeed and vertical\vtab',
  ];
}

const MARKUP = [
  '<script>window.hit=1</script>',
  '<img src=x onerror=window.hit=1>',
  '<svg/onload=window.hit=1>',
  '<svg><script>window.hit=1</script></svg>',
  '"><script>window.hit=1</script>',
  "'><img src=x onerror=window.hit=1>",
  '</textarea><script>window.hit=1</script>',
  '</title><script>window.hit=1</script>',
  '</p></div></li></ol><h1 id="main">out</h1>',
  '<body onload=window.hit=1>',
  '<iframe srcdoc="<script>parent.hit=1</script>">',
  '<math><mtext><table><mglyph><style><img src=x onerror=window.hit=1>',
  '<a href="javascript:window.hit=1">click</a>',
  '<form action="/sign-out" method="post"><button>free money</button></form>',
  '<base href="https://evil.example/">',
  '<meta http-equiv="refresh" content="0;url=https://evil.example">',
  '<link rel=stylesheet href=https://evil.example/x.css>',
  '<style>*{display:none}</style>',
  '<div hx-get="/sign-out" hx-trigger="load">x</div>',
  '<div data-hx-post="/sign-out" data-hx-trigger="load">x</div>',
  '<hx-partial hx-target="body" hx-swap="innerHTML">gone</hx-partial>',
  '<hx-upsert hx-target="#messages"><li id="m1">gone</li></hx-upsert>',
  '<hx-reload hx-target="#messages"></hx-reload>',
  '<template hx type="partial" hx-target="#messages">gone</template>',
  '<ol id="messages"></ol>',
  '<input name="clientId" value="x">',
  '<img name="safego"><img id="htmx">',
  '<li id="pending" data-behaviour="composer">x</li>',
  '<!-- a comment --> <![CDATA[ cdata ]]> <?php echo 1 ?>',
  '&lt;b&gt; &amp;amp; &#60;script&#62; &#x3c; &nbsp; &notanentity;',
  '<b>bold</b> <i>not</i> <br> <hr>',
  '<scr<script>ipt>window.hit=1</scr</script>ipt>',
  '<SCRIPT SRC=//evil.example/x.js></SCRIPT>',
  '<img src="x` `<script>window.hit=1</script>"` `>',
  '<details open ontoggle=window.hit=1>x</details>',
  '<video><source onerror=window.hit=1></video>',
  '<noscript><p title="</noscript><img src=x onerror=window.hit=1>">',
  '\u2028<script>window.hit=1</script>\u2029',
  '<img/src=x/onerror=window.hit=1//',
  '<x contenteditable autofocus onfocus=window.hit=1>',
];

/** The same tricks with other letters, quotes and breaks in the places where filters look. */
function markupVariants(): string[] {
  const events = [
    'onerror',
    'onload',
    'onclick',
    'onmouseover',
    'onfocus',
    'onanimationstart',
    'onpointerenter',
    'ontoggle',
  ];
  const breaks = [' ', '/', '\t', '\n', '\f', '\u000b'];
  return events.flatMap((event) => breaks.map((gap) => `<img${gap}src=x${gap}${event}=window.hit=1>`));
}

const LINKS = [
  'javascript:window.hit=1',
  'JaVaScRiPt:window.hit=1',
  'java\tscript:window.hit=1',
  'data:text/html,<script>window.hit=1</script>',
  'vbscript:msgbox(1)',
  'https://example.com/?a=1&b=2#c',
  'https://example.com/<script>window.hit=1</script>',
  'https://example.com/"onmouseover="window.hit=1',
  "https://example.com/'onclick='window.hit=1",
  'https://user:secret@example.com/',
  'https://xn--pple-43d.com and https://аpple.com',
  'https://example.com/a_(b)_(c)).',
  'see https://example.com, or http://example.org!',
  `https://example.com/${'a'.repeat(2_000)}`,
  'mailto:somebody@example.com?subject=<b>x</b>',
  '//evil.example/x',
  'http://[::1]:3000/ http://0x7f.1/ http://localhost',
  'https://‮moc.elpmaxe',
  'ftp://example.com file:///etc/passwd',
  'https://example.com/\u200bhidden',
];

const CODE = [
  '{{7*7}} ${7*7} #{7*7} <%= 7*7 %> <%~ it.me %>',
  '__proto__ constructor prototype toString hasOwnProperty',
  "'; drop table messages; --",
  "' or '1'='1",
  '$1 $2 %s %d %n %x {0} {}',
  '../../../../etc/passwd\\..\\..\\windows',
  '$(touch /tmp/x) `id` ; ls | cat && true',
  '{"type":"message:new","room":"admin_support"}',
  '[object Object]',
  'undefined',
  'null',
  'NaN',
  'true',
  '-0',
  '0',
  '1e309',
  '0x7fffffffffffffff 9007199254740993',
  '1/0',
  '=1+1+cmd|calc!A1',
  '@everyone #general /me',
  'HTTP/1.1 200 OK\nSet-Cookie: a=b\n\n<h1>split</h1>',
  'Bcc: somebody@example.com\nSubject: x',
  'event: message\ndata: <hx-reload hx-target="#messages"></hx-reload>\n\n',
  'data: x\n\nid: 5\nretry: 1',
  '\\u0000 \\x00 %00 &#0;',
  '\\',
  '"',
  "'",
  '`',
  '--',
  '/* */ // #',
  'a\u0000'.replace('\u0000', '\\0'),
  'ÃƒÂ© â€œmojibakeâ€\u009d',
  'ＮＵＬＬ ｓｃｒｉｐｔ ＜script＞',
  'Power لُلُصّبُلُلصّبُررً ॣ ॣh ॣ ॣ 冗',
  'జ్ఞ‌ా',
  'File.txt:$DATA CON PRN AUX',
  '2026-13-45T99:99:99Z',
  'Робота над помилками',
  'Ω≈ç√∫˜µ≤≥÷ åß∂ƒ©˙∆˚¬…æ',
];
