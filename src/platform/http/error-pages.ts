import { escapeHtml } from '../text/index.ts';
import { type Reader, stream, type Views } from '../views/index.ts';
import type { ErrorFaces, ErrorView } from './error-reply.ts';

const PAGE = '/errors/page';
const NOTICE = '/errors/_notice';

/** The element of every layout that htmx errors are shown in. */
export const NOTICE_TARGET = '#notice';

/**
 * Errors as HTML: `views/errors/page` and `views/errors/_notice` with `{error: ErrorView, title, sentence}`; plain
 * built-in ones while those are missing. Sentences come from the locales by code (`errors.<code>`), then by status.
 */
export function createErrorFaces(views: Views): ErrorFaces {
  return {
    page(error, reader) {
      const view = spoken(views, error, reader);
      if (views.has(PAGE)) return views.for(reader).page(PAGE, view);
      return `<!doctype html><html lang="${reader.language}"><meta charset="utf-8"><title>${escapeHtml(view.title)}</title><h1>${escapeHtml(view.title)}</h1><p>${escapeHtml(view.sentence)}</p><p>${escapeHtml(error.requestId)}</p></html>`;
    },
    fragment(error, reader) {
      const view = spoken(views, error, reader);
      const notice = views.has(NOTICE)
        ? views.for(reader).partial(NOTICE, view)
        : `<p role="alert">${escapeHtml(view.sentence)}</p>`;
      // a partial with a place of its own, so that what the page shows is not swapped for an error
      return stream.fill(NOTICE_TARGET, notice);
    },
  };
}

/** What the error templates are given. */
export interface SpokenError {
  readonly error: ErrorView;
  readonly title: string;
  readonly sentence: string;
}

function spoken(views: Views, error: ErrorView, reader: Reader): SpokenError {
  const { t } = views.for(reader);
  const say = (keys: readonly string[], otherwise: string) => {
    for (const key of keys) {
      const text = t(key, error.detail);
      if (text !== key) return text;
    }
    return otherwise;
  };
  const sentence = say([`errors.${error.code}`, `errors.${error.status}`], error.message);
  return { error, title: say([`errors.title.${error.status}`, 'errors.title.any'], String(error.status)), sentence };
}
