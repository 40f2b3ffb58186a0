import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Eta } from 'eta';
import { createFormats, escapeHtml, type Formats, richText, type SafeHtml } from '../text/index.ts';
import { type Assets, SHARED } from './assets.ts';
import type { Language, Languages } from './languages.ts';

/** Whom an answer is made for. */
export interface Reader {
  readonly language: Language;
  /** IANA zone, e.g. `Asia/Dhaka`. */
  readonly zone: string;
}

/** What every template sees beside its view. Times may be a Date or an ISO string, as views carry them. */
export interface TemplateLocals {
  /** The sentence of a key, or of the first of several that there is. */
  t(key: string | readonly string[], values?: Readonly<Record<string, unknown>>): string;
  readonly lang: Language;
  readonly zone: string;
  /** When this is rendered. */
  readonly now: Date;
  num(value: number): string;
  clock(at: Date | string): string;
  day(at: Date | string): string;
  dayKey(at: Date | string): string;
  full(at: Date | string): string;
  ago(at: Date | string): string;
  duration(seconds: number): string;
  /** For `<time datetime>`. */
  iso(at: Date | string): string;
  /** A message's text as safe HTML; write it with `<%~ %>`. */
  rich(text: string): SafeHtml;
  /** Hashed URL of a file in public/, e.g. `asset('icons/sprite.svg')`. */
  asset(path: string): string;
  /** The page's one CSS file and one JS file; a side (`desk`) adds what lies in its folder. */
  css(side?: string): string;
  js(side?: string): string;
}

/** Templates in one reader's language and zone. Names are absolute paths below views/, e.g. `/messaging/_message`. */
export interface Show {
  readonly reader: Reader;
  readonly t: TemplateLocals['t'];
  /** Day and time, for answers that no template makes. */
  readonly full: TemplateLocals['full'];
  /** A whole page: a template that takes a layout. */
  page<V extends object>(name: string, view: V): SafeHtml;
  /** A piece of one: a template with one root element. */
  partial<V extends object>(name: string, view: V): SafeHtml;
}

/** The templates, ready to be shown to readers. */
export interface Views {
  /** Cheap: kept per language and zone. */
  for(reader: Reader): Show;
  /** True when there is such a template. */
  has(name: string): boolean;
  readonly assets: Assets;
}

/** What templates are made with. */
export interface ViewsOptions {
  /** Folder of the templates. */
  readonly folder: string;
  readonly languages: Languages;
  readonly assets: Assets;
}

const KEPT_SHOWS = 64;

/** Opens the templates and compiles each once, so that one that cannot be parsed stops the start, not a request. */
export function openViews({ folder, languages, assets }: ViewsOptions): Views {
  const eta = new Eta({ views: folder, cache: true, autoTrim: false, escapeFunction: escaped });
  eta.resolvePath = (name) => templatePath(folder, name);
  const names = new Set(templateNames(folder));
  for (const name of names) {
    const path = templatePath(folder, name);
    // Eta's own cache key; `readFile` is there in Node
    eta.templatesSync.define(path, eta.compile(eta.readFile?.(path) ?? '', { filepath: path }));
  }

  const shows = new Map<string, Show>();
  return {
    assets,
    has: (name) => names.has(name),
    for(reader) {
      const key = `${reader.language} ${reader.zone}`;
      let show = shows.get(key);
      if (!show) {
        show = createShow(eta, reader, languages, assets);
        // Intl objects are large, and a cookie may name any zone: the oldest goes
        if (shows.size >= KEPT_SHOWS) shows.delete(shows.keys().next().value ?? '');
        shows.set(key, show);
      }
      return show;
    },
  };
}

function createShow(eta: Eta, reader: Reader, languages: Languages, assets: Assets): Show {
  const { language, zone } = reader;
  const formats = createFormats(language, zone);
  const t: TemplateLocals['t'] = (key, values) => languages.translate(language, key, values);
  const fixed = {
    t,
    lang: language,
    zone,
    ...timeless(formats),
    rich: richText,
    asset: assets.url,
    ...bundles(assets),
  };
  const render = (name: string, view: object) => eta.render(name, { ...view, ...fixed, ...timed(formats) }).trim();
  return { reader, t, full: fixed.full, page: render, partial: render };
}

function timeless(formats: Formats) {
  return {
    num: formats.number,
    clock: (at: Date | string) => formats.clock(date(at)),
    dayKey: (at: Date | string) => formats.dayKey(date(at)),
    full: (at: Date | string) => formats.full(date(at)),
    duration: formats.duration,
    iso: (at: Date | string) => date(at).toISOString(),
  };
}

function timed(formats: Formats) {
  const now = new Date();
  return {
    now,
    day: (at: Date | string) => formats.day(date(at), now),
    ago: (at: Date | string) => formats.ago(date(at), now),
  };
}

function bundles(assets: Assets) {
  return {
    css: (side = SHARED) => assets.bundle('css', side),
    js: (side = SHARED) => assets.bundle('js', side),
  };
}

function date(at: Date | string): Date {
  return typeof at === 'string' ? new Date(at) : at;
}

/** Null and undefined show as nothing, never as the word. */
function escaped(value: unknown): string {
  return value === null || value === undefined ? '' : escapeHtml(String(value));
}

function templatePath(folder: string, name: string): string {
  if (!/^(\/[\w-]+)+$/.test(name)) {
    throw new Error(
      `Templates are named by their absolute path below views, without extension: ${JSON.stringify(name)}`,
    );
  }
  return join(folder, `${name}.eta`);
}

function templateNames(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.eta'))
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length).replaceAll('\\', '/').slice(0, -4));
}
