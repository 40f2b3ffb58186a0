import type { SafeHtml } from '../text/index.ts';
import type { Reply } from './route.ts';
import { safeRedirect } from './safe-redirect.ts';

const HTML = 'text/html; charset=utf-8';
const JSON_TYPE = 'application/json; charset=utf-8';

/** A whole page. */
export function page(html: SafeHtml, status = 200, headers?: Reply['headers']): Reply {
  return headers ? { status, type: HTML, body: html, headers } : { status, type: HTML, body: html };
}

/** Pieces of a page, for htmx; `stream.*` says where each goes. */
export function fragment(...pieces: SafeHtml[]): Reply {
  return { status: 200, type: HTML, body: pieces.join('') };
}

/** JSON: an object, or text that is JSON already. */
export function json(body: object | string, status = 200, headers?: Reply['headers']): Reply {
  return headers ? { status, type: JSON_TYPE, body, headers } : { status, type: JSON_TYPE, body };
}

/** 303 after a form, to a path of ours; anything else leads to `/`. htmx is told to go there as a whole page. */
export function seeOther(path: string, headers?: Reply['headers']): Reply {
  return { status: 303, body: null, headers: { ...headers, Location: safeRedirect(path, '/') } };
}

/** 204: done, nothing to show. */
export function noContent(headers?: Reply['headers']): Reply {
  return headers ? { status: 204, body: null, headers } : { status: 204, body: null };
}
