import type { SafeHtml } from '../text/index.ts';

/** How `stream.upsert` places what is new: by the number in an attribute, growing unless `desc`. */
export interface UpsertOptions {
  /** Attribute that holds the sort key, e.g. `data-seq`. */
  readonly key: string;
  readonly order?: 'asc' | 'desc';
}

/**
 * Where a fragment goes, in the words of htmx 4 (dist/htmx.js `#processPartials`, dist/ext/hx-upsert.js). Works alike in
 * a reply, over the socket and over SSE; what has no place on the page is dropped there. Targets are `#id` of constants
 * and ids only: text of a person in a selector would choose where HTML lands (T-WS12).
 */
export const stream = {
  /** Elements with ids: replaces the one with the same id, or puts it where its key says. */
  upsert(target: string, elements: SafeHtml, { key, order = 'asc' }: UpsertOptions): SafeHtml {
    const sort = order === 'desc' ? 'sort="desc"' : 'sort';
    return `<hx-upsert hx-target="${idSelector(target)}" key="${attributeName(key)}" ${sort}>${elements}</hx-upsert>`;
  },
  /** The element itself, morphed into the new one, so that focus and open details stay. */
  replace(target: string, element: SafeHtml): SafeHtml {
    return partial(target, 'outerMorph', element);
  },
  /** What is inside the element. */
  fill(target: string, content: SafeHtml): SafeHtml {
    return partial(target, 'innerMorph', content);
  },
  /** After the last child. */
  append(target: string, content: SafeHtml): SafeHtml {
    return partial(target, 'beforeend', content);
  },
  /** Takes the element away. */
  remove(target: string): SafeHtml {
    return partial(target, 'delete', '');
  },
} as const;

function partial(target: string, swap: string, html: SafeHtml): SafeHtml {
  return `<hx-partial hx-target="${idSelector(target)}" hx-swap="${swap}">${html}</hx-partial>`;
}

function idSelector(target: string): string {
  if (!/^#[A-Za-z][\w-]*$/.test(target)) throw new Error(`Not an id selector: ${JSON.stringify(target)}`);
  return target;
}

function attributeName(name: string): string {
  if (!/^[a-z][a-z-]*$/.test(name)) throw new Error(`Not an attribute name: ${JSON.stringify(name)}`);
  return name;
}
