import { anyone } from '../identity/index.ts';
import { json, page, type Route, route } from '../platform/http/index.ts';
import { escapeHtml, type SafeHtml } from '../platform/text/index.ts';
import { type OpenApi, type Operation, openApiDocument } from './openapi.ts';

/** The description of the JSON API for programs and for people. `routes` is asked once, when all doors are known. */
export function openApiRoutes({ routes }: { readonly routes: () => readonly Route[] }): Route[] {
  let made: { document: OpenApi; text: string; html: SafeHtml } | undefined;
  function documents() {
    if (!made) {
      const document = openApiDocument(routes());
      made = { document, text: JSON.stringify(document), html: docsPage(document) };
    }
    return made;
  }
  return [
    route({
      name: 'api.openapi',
      method: 'GET',
      path: '/api/openapi.json',
      policy: anyone(),
      readsSession: false,
      needsEm: false,
      face: 'json',
      handle: () => json(documents().text),
    }),
    route({
      name: 'api.docs',
      method: 'GET',
      path: '/api/docs',
      policy: anyone(),
      readsSession: false,
      needsEm: false,
      face: 'page',
      handle: () => page(documents().html),
    }),
    // each keeps its own input types; together they are doors
  ] as Route[];
}

/** One plain page, readable without any script or style. */
function docsPage({ info, paths }: OpenApi): SafeHtml {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, one]) => operationHtml(method.toUpperCase(), path, one)),
  );
  const title = escapeHtml(`${info.title} API`);
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head><body><main><h1>${title}</h1>
<p>${escapeHtml(info.description)}</p><p><a href="/api/openapi.json">openapi.json</a></p>
${operations.join('\n')}</main></body></html>`;
}

function operationHtml(method: string, path: string, one: Operation): SafeHtml {
  const parameters = one.parameters
    .map((each) => `<li><code>${escapeHtml(each.name)}</code> (${each.in}${each.required ? ', required' : ''})</li>`)
    .join('');
  return `<section><h2><code>${method} ${escapeHtml(path)}</code></h2>
<p>${escapeHtml(one.summary)} <small>${escapeHtml(one.description)}</small></p>
${parameters ? `<ul>${parameters}</ul>` : ''}
${one.requestBody ? details('Body', one.requestBody) : ''}${details('Answer', one.responses['2XX'])}</section>`;
}

function details(name: string, value: unknown): SafeHtml {
  return `<details><summary>${name}</summary><pre>${escapeHtml(JSON.stringify(value, null, 2))}</pre></details>`;
}
