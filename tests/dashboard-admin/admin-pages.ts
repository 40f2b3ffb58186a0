import type { Handle, TestTenant } from '../support/people.ts';
import type { RunningApp } from '../support/running-app.ts';

/** An answer, read. */
export interface Shown {
  readonly status: number;
  readonly html: string;
  readonly location: string | null;
  readonly headers: Headers;
}

/** One admin's browser without scripts: cookies, links and forms. */
export interface PlainBrowser {
  get(path: string): Promise<Shown>;
  /** Posts a form; a list posts its name several times. */
  post(path: string, fields: Fields): Promise<Shown>;
}

/** A form as it would be sent. */
export type Fields = Readonly<Record<string, string | readonly string[]>>;

/** Signs somebody in and gives their browser. */
export async function plainBrowser(
  app: RunningApp,
  tenant: TestTenant,
  handle: Handle,
  language: 'en' | 'bn' = 'en',
): Promise<PlainBrowser> {
  const { token } = await tenant.signIn(handle, 'browser');
  const cookie = `safego=${token}; lang=${language}`;
  async function read(response: Response): Promise<Shown> {
    const { status, headers } = response;
    return { status, headers, location: headers.get('location'), html: await response.text() };
  }
  return {
    get: async (path) => read(await fetch(app.base + path, { headers: { cookie }, redirect: 'manual' })),
    post: async (path, fields) =>
      read(
        await fetch(app.base + path, {
          method: 'POST',
          redirect: 'manual',
          headers: { cookie, origin: app.base, 'content-type': 'application/x-www-form-urlencoded' },
          body: new URLSearchParams(pairs(fields)),
        }),
      ),
  };
}

function pairs(fields: Fields): [string, string][] {
  return Object.entries(fields).flatMap(([name, value]) =>
    (typeof value === 'string' ? [value] : value).map((one): [string, string] => [name, one]),
  );
}

/** What a browser would post from the form that goes to `action`, buttons left out. */
export function formFields(html: string, action: string): Record<string, string | string[]> {
  const form = [...html.matchAll(/<form\b[^>]*>[\s\S]*?<\/form>/g)]
    .map(([all]) => all)
    .find((all) => all.includes(`action="${action}"`));
  if (!form) throw new Error(`no form for ${action}`);
  const fields: Record<string, string | string[]> = {};
  const add = (name: string, value: string) => {
    const earlier = fields[name];
    fields[name] = earlier === undefined ? value : [earlier, value].flat();
  };
  for (const [control, tag, inside] of form.matchAll(
    /<(input|select|textarea)\b[^>]*>((?:(?!<\/?(?:input|select|textarea)\b)[\s\S])*<\/(?:select|textarea)>)?/g,
  )) {
    const name = attribute(control, 'name');
    if (!name) continue;
    const type = attribute(control, 'type');
    if (tag === 'input' && /^(checkbox|radio)$/.test(type ?? '') && !/\schecked\b/.test(control)) continue;
    if (tag === 'input') add(name, attribute(control, 'value') ?? '');
    else if (tag === 'textarea') add(name, unescaped((inside ?? '').replace(/^\n/, '').replace(/<\/textarea>$/, '')));
    else add(name, selected(inside ?? ''));
  }
  return fields;
}

function selected(options: string): string {
  const all = [...options.matchAll(/<option\b([^>]*)>([^<]*)/g)];
  const chosen = all.find(([, attributes]) => /\sselected\b/.test(attributes ?? '')) ?? all[0];
  return attribute(`<option${chosen?.[1] ?? ''}>`, 'value') ?? unescaped(chosen?.[2] ?? '');
}

function attribute(tag: string, name: string): string | undefined {
  const found = new RegExp(`^<[^>]*?\\s${name}="([^"]*)"`).exec(tag)?.[1];
  return found === undefined ? undefined : unescaped(found);
}

function unescaped(text: string): string {
  return text
    .replaceAll('&quot;', '"')
    .replaceAll('&#34;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');
}
