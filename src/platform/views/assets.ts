import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { extname, join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip, zstdCompress } from 'node:zlib';

/** Content codings we send, best first. */
export type Encoding = 'br' | 'zstd' | 'gzip';

/** One file as it is sent. */
export interface Asset {
  readonly type: string;
  readonly etag: string;
  /** True when the URL carries the content's hash, so that it never changes. */
  readonly immutable: boolean;
  readonly body: Buffer;
  /** Compressed once at start; text only. */
  readonly encoded: Readonly<Partial<Record<Encoding, Buffer>>>;
}

/** Everything of public/ in memory. */
export interface Assets {
  /** By URL path: `/assets/…` and what lies directly in public/ (`/favicon.ico`, `/manifest.webmanifest`). */
  find(path: string): Asset | undefined;
  /** URL path with content hash of a file in public/; throws when there is none. */
  url(path: string): string;
  /** URL path of a side's one CSS or JS file. */
  bundle(kind: 'css' | 'js', side: string): string;
}

/** Where assets come from and how hard they are compressed. */
export interface AssetsOptions {
  /** The folder public/. */
  readonly folder: string;
  /** Scripts in front of our own, as paths in node_modules. */
  readonly scripts?: readonly string[];
  /**
   * Brotli quality 0–11 that everything is compressed with before it is served; 0 leaves everything as it is. Below 11 the
   * smallest form is made afterwards, beside the serving: a third of a second for 7 % less.
   */
  readonly quality?: number;
}

/** The side of pages that need no more than what all share. */
export const SHARED = 'shared';

/**
 * htmx. What decides where messages go comes from public/js, and so do socket and event stream: browsers have them, and hx-ws
 * and hx-sse are a tenth of the script each.
 */
const HTMX_SCRIPTS = ['htmx.org/dist/htmx.min.js'] as const;

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.webp': 'image/webp',
  '.ico': 'image/x-icon',
  '.json': 'application/json',
  '.webmanifest': 'application/manifest+json',
  '.txt': 'text/plain; charset=utf-8',
  '.woff2': 'font/woff2',
  '.mp3': 'audio/mpeg',
  '.ogg': 'audio/ogg',
};
const WORTH_COMPRESSING = /^(text\/|application\/|image\/svg)/;
const COMPRESS_FROM_BYTES = 1_024;
/** Brotli's own best. */
const BEST = 11;

/**
 * Reads public/ once, joins css/*.css and js/*.js to one file each (a side's own in css/<side>, js/<side> come after
 * what both share; order is by name), and compresses all texts.
 */
export async function openAssets({ folder, scripts = HTMX_SCRIPTS, quality = BEST }: AssetsOptions): Promise<Assets> {
  const byPath = new Map<string, Asset>();
  const urls = new Map<string, string>();
  const pending: Promise<void>[] = [];
  const later: (() => Promise<void>)[] = [];

  const add = (name: string, body: Buffer): string => {
    const extension = extname(name);
    const hash = createHash('sha256').update(body).digest('base64url').slice(0, 12);
    const url = `/assets/${name.slice(0, -extension.length)}.${hash}${extension}`;
    if (byPath.has(url)) return url;
    const type = TYPES[extension];
    if (!type) throw new Error(`public/${name}: no media type is known for ${extension}`);
    const asset = { type, etag: `"${hash}"`, body, encoded: {} as Partial<Record<Encoding, Buffer>> };
    if (quality > 0 && body.length >= COMPRESS_FROM_BYTES && WORTH_COMPRESSING.test(type)) {
      pending.push(compress(body, quality).then((encoded) => void Object.assign(asset.encoded, encoded)));
      if (quality < BEST) later.push(async () => void Object.assign(asset.encoded, { br: await brotli(body, BEST) }));
    }
    byPath.set(url, { ...asset, immutable: true });
    const plain = { ...asset, immutable: false };
    if (!name.startsWith('app.')) byPath.set(`/assets/${name}`, plain);
    if (!name.includes('/') && !name.startsWith('app.')) byPath.set(`/${name}`, plain);
    return url;
  };

  const files = filesBelow(folder);
  for (const file of files.filter((name) => !/^(css|js)\//.test(name))) {
    const body = readFileSync(join(folder, file));
    urls.set(file, add(file, file.endsWith('.js') ? Buffer.from(withoutComments(body.toString())) : body));
  }
  const sides = new Set([SHARED, ...files.flatMap((file) => /^(?:css|js)\/([\w-]+)\//.exec(file)?.[1] ?? [])]);
  for (const side of sides) {
    const css = readBundle(folder, files, 'css', side).map((file) => withoutComments(file.text));
    const js = [...scripts.map(readScript), ...readBundle(folder, files, 'js', side).map(enclosed)];
    urls.set(`css ${side}`, add('app.css', Buffer.from(withHashedUrls(css.join('\n'), urls))));
    urls.set(`js ${side}`, add('app.js', Buffer.from(js.join('\n'))));
  }
  await Promise.all(pending);
  void inTurn(later);
  // browsers ask for it unasked; an SVG will do
  const icon = byPath.get('/favicon.ico') ?? byPath.get('/icon.svg');
  if (icon) byPath.set('/favicon.ico', icon);

  const known = (key: string, what: string) => {
    const url = urls.get(key);
    if (!url) throw new Error(`There is no ${what} in public/`);
    return url;
  };
  return {
    find: (path) => byPath.get(path),
    url: (path) => known(path, path),
    bundle: (kind, side) => known(`${kind} ${side}`, `${kind} for ${side}`),
  };
}

/** The files of a side's bundle in their order: what both sides share, then the side's own. */
function readBundle(
  folder: string,
  files: readonly string[],
  kind: 'css' | 'js',
  side: string,
): { file: string; text: string }[] {
  const of = (prefix: string) =>
    files.filter(
      (file) => file.startsWith(prefix) && file.endsWith(`.${kind}`) && !file.slice(prefix.length).includes('/'),
    );
  return [...of(`${kind}/`), ...of(`${kind}/${side}/`)].map((file) => ({
    file,
    text: readFileSync(join(folder, file), 'utf8'),
  }));
}

function readScript(path: string): string {
  return readFileSync(createRequire(import.meta.url).resolve(path), 'utf8').replace(
    /\n?\/\/# sourceMappingURL=.*\s*$/,
    '',
  );
}

/** Files are plain scripts; each gets a scope of its own, and none can end the statement of the one before. */
function enclosed({ file, text }: { file: string; text: string }): string {
  return `// ${file}\n;(() => {\n'use strict';\n${withoutComments(text)}\n})();`;
}

/** Comments that begin a line, and indentation: they are for us, and on a slow line they are a tenth of the script. */
function withoutComments(text: string): string {
  return text.replace(/^[ \t]*\/\*[\s\S]*?\*\/[ \t]*\n/gm, '').replace(/^[ \t]*(\/\/.*)?\n?/gm, '');
}

/** `url(/assets/icons/x.svg)` in a style sheet becomes the hashed URL. */
function withHashedUrls(css: string, urls: ReadonlyMap<string, string>): string {
  return css.replace(/url\((['"]?)\/assets\/([^'")]+)\1\)/g, (written, _quote, path) => {
    const url = urls.get(path);
    return url ? `url(${url})` : written;
  });
}

function brotli(body: Buffer, quality: number): Promise<Buffer> {
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: quality,
    [constants.BROTLI_PARAM_SIZE_HINT]: body.length,
    [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
  };
  return promisify(brotliCompress)(body, { params });
}

/** One after the other, so that requests find a free core. */
async function inTurn(works: readonly (() => Promise<void>)[]): Promise<void> {
  for (const work of works) await work();
}

async function compress(body: Buffer, quality: number): Promise<Partial<Record<Encoding, Buffer>>> {
  const [br, zstd, gz] = await Promise.all([
    brotli(body, quality),
    promisify(zstdCompress)(body, { params: { [constants.ZSTD_c_compressionLevel]: quality === BEST ? 19 : quality } }),
    promisify(gzip)(body, { level: Math.min(quality, 9) }),
  ]);
  return { br, zstd, gzip: gz };
}

/** Paths below a folder, with `/`, sorted by name; none when the folder is missing. Dot files stay out. */
function filesBelow(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
      .map((entry) =>
        join(entry.parentPath, entry.name)
          .slice(folder.length + 1)
          .replaceAll('\\', '/'),
      )
      .sort();
  } catch {
    return [];
  }
}
