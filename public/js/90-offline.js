/*
 * What the service worker needs to open this page without a line: the page as it came from the server, with the messages as they
 * stand now, and its style and script. Only pages that say `data-keep` are kept, the latest few, for one person at a time.
 * The rest of the page never waits for any of it, and it costs no bytes but the worker's own.
 */
(() => {
  const { body } = document;
  if (!('serviceWorker' in navigator && window.caches)) return;
  const isKept = body.dataset.keep !== undefined;
  // before any behaviour has touched it
  const html = isKept && document.documentElement.outerHTML;
  const most = { pages: 12, messages: 50 };
  let timer;

  const forget = () => caches.delete('pages');

  async function keep() {
    const pages = await caches.open('pages');
    const owner = new Response(body.dataset.owner);
    const before = await pages.match('/owner');
    if (before && (await before.text()) !== body.dataset.owner) await forget();
    const store = await caches.open('pages');
    await store.put('/owner', owner);
    await store.put(location.pathname, new Response(asItStands()));
    const kept = (await store.keys()).filter(({ url }) => new URL(url).pathname !== '/owner');
    for (const old of kept.slice(0, -most.pages)) await store.delete(old);
  }

  /** The server's page with today's messages in it; bubbles, marks and connections are made anew where it opens. */
  function asItStands() {
    const page = new DOMParser().parseFromString(html, 'text/html');
    const now = document.getElementById('messages');
    if (now) {
      const items = [...now.children].slice(-most.messages).map((item) => item.cloneNode(true));
      page.getElementById('messages').replaceChildren(...items);
    }
    return `<!doctype html>${page.documentElement.outerHTML}`;
  }

  async function keepAssets() {
    const assets = await caches.open('assets');
    const wanted = [...document.querySelectorAll('link[rel="stylesheet"], script[src]')].map(
      (one) => one.href ?? one.src,
    );
    for (const old of await assets.keys()) if (!wanted.includes(old.url)) await assets.delete(old);
    // from the browser's own cache: nothing travels again
    for (const url of wanted) if (!(await assets.match(url))) await assets.add(url);
  }

  function soon() {
    clearTimeout(timer);
    timer = setTimeout(() => keep().catch(() => {}), 1_000);
  }

  async function begin() {
    await navigator.serviceWorker.register('/sw.js');
    if (!isKept) return;
    await keepAssets();
    await keep();
    document.addEventListener('messages:changed', soon);
  }

  document.addEventListener('live:signed-out', forget);
  if (isKept || navigator.serviceWorker.controller)
    addEventListener('load', () => setTimeout(() => begin().catch(() => {}), 500));
})();
