import { escapeHtml } from '../text/index.ts';
import type { Views } from '../views/index.ts';
import type { ErrorFaces } from './error-reply.ts';

const PAGE = '/shared/error';
const NOTICE = '/shared/_error-notice';

/**
 * Errors as HTML: the templates `/shared/error` and `/shared/_error-notice` with `{error: ErrorView}`, which make the
 * sentence in the reader's language from code and status. Bare ones where there are no templates.
 */
export function createErrorFaces(views: Views): ErrorFaces {
  return {
    page(error, reader, frame) {
      if (views.has(PAGE)) return views.for(reader).page(PAGE, { error, frame });
      const message = escapeHtml(error.message);
      return `<!doctype html><html lang="en"><meta charset="utf-8"><title>${message}</title><h1>${message}</h1><p>${escapeHtml(error.requestId)}</p></html>`;
    },
    notice(error, reader) {
      if (views.has(NOTICE)) return views.for(reader).partial(NOTICE, { error });
      return `<p role="alert">${escapeHtml(error.message)}</p>`;
    },
  };
}
