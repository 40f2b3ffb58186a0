/*
 * The register of small behaviours. An element asks for them by name: <ol data-behaviour="messages">.
 * A behaviour runs once per element, also for elements that a swap brings in, and may return its undoing.
 * They talk by events on the document (`messages:changed`, `live:up`, …), never by calling each other.
 */
(() => {
  const behaviours = new Map();
  const running = new Map();

  function start(element) {
    for (const name of element.dataset.behaviour.split(' ')) {
      const begun = running.get(element) ?? running.set(element, new Map()).get(element);
      if (begun.has(name) || !behaviours.has(name)) continue;
      begun.set(name, behaviours.get(name)(element));
    }
  }

  function startWithin(root) {
    if (root.matches?.('[data-behaviour]')) start(root);
    for (const element of root.querySelectorAll('[data-behaviour]')) start(element);
  }

  window.safego = {
    behaviour: (name, begin) => behaviours.set(name, begin),
    /** Tells everybody on the page. */
    tell: (type, detail = {}) => document.dispatchEvent(new CustomEvent(type, { detail })),
    /** Loads a region again from its own `data-reload`; the live channel is a hint, the GET is the truth. */
    reload(element) {
      if (!element?.dataset.reload) return;
      const id = `#${element.id}`;
      // morphed, so that a field that is being written in stays as it is
      const swap = 'outerMorph ignoreTitle:true';
      htmx
        .ajax('GET', element.dataset.reload, { source: element, target: id, select: id, swap })
        .then(() => safego.tell('region:loaded', { region: document.querySelector(id) }))
        .catch(() => {});
    },
    /** Changes what a list item or page says in words with a number in it. */
    fill: (words, values) => words.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? ''),
    /** For a message, made before it leaves. `randomUUID` is missing where a page came without TLS. */
    uuid: () =>
      crypto.randomUUID?.() ??
      '10000000-1000-4000-8000-100000000000'.replace(/[018]/g, (digit) =>
        (digit ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (digit / 4)))).toString(16),
      ),
    number: (value) => new Intl.NumberFormat(document.documentElement.lang).format(value),
  };

  document.addEventListener('DOMContentLoaded', () => startWithin(document));
  document.addEventListener('htmx:after:process', (event) => startWithin(event.target));
  // htmx cleans up after its own elements only, so what a swap has taken away is looked for.
  document.addEventListener('htmx:after:swap', () => {
    for (const [element, begun] of running) {
      if (element.isConnected) continue;
      running.delete(element);
      for (const end of begun.values()) end?.();
    }
  });
})();
