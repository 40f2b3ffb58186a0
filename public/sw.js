/*
 * The service worker. Online it does nothing but look on; without a line it answers with the page as this person last had it
 * (public/js/90-offline.js keeps it), and with its style and script. What is written there goes into the outbox of the page.
 *
 * Pages lie in `pages`, which is emptied by signing out and by an answer that nobody is signed in; never in the HTTP cache.
 * Live channels, forms and fragments are not touched.
 *
 * It shows what our server says of answers by web push, unless their conversation is in front of its reader already. Notices of one
 * conversation take each other's place; the same one again is shown without a sound.
 */
const PAGES = 'pages';
const ASSETS = 'assets';
/** A line so slow that it is none, when there is a page to show instead. */
const PATIENCE_MS = 10_000;
/** The policy of our pages (src/platform/http/security-headers.ts), for those that come from here. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; font-src 'self'; connect-src 'self'; " +
  "media-src 'self' blob:; manifest-src 'self'; worker-src 'self'; frame-src 'none'; form-action 'self'; base-uri 'none'; " +
  "object-src 'none'; frame-ancestors 'none'";
const HEADERS = {
  'Content-Type': 'text/html; charset=utf-8',
  'Content-Security-Policy': POLICY,
  'X-Content-Type-Options': 'nosniff',
  'Cache-Control': 'no-store',
};

addEventListener('install', () => skipWaiting());
addEventListener('activate', (event) => event.waitUntil(clients.claim()));

addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== location.origin) return;
  if (request.method === 'POST' && /^\/(sign-out|sso|demo\/sign-in)/.test(url.pathname)) event.waitUntil(forget());
  if (request.method === 'POST' && url.pathname === '/sign-out') event.waitUntil(silence());
  if (request.method !== 'GET') return;
  if (url.pathname.startsWith('/assets/')) event.respondWith(asset(request));
  else if (request.mode === 'navigate' && !/^\/(admin|api)\b/.test(url.pathname)) event.respondWith(page(request, url));
});

function forget() {
  return caches.delete(PAGES);
}

async function asset(request) {
  return (await caches.match(request, { cacheName: ASSETS })) ?? fetch(request);
}

async function page(request, url) {
  const kept = await caches.match(url.pathname, { cacheName: PAGES });
  let timer;
  const patience = new Promise((resolve) => {
    if (kept) timer = setTimeout(() => resolve(null), PATIENCE_MS);
  });
  try {
    const answer = await Promise.race([fetch(request), patience]);
    if (answer) {
      if (answer.status === 401) await forget();
      return answer;
    }
  } catch {
    // no line
  } finally {
    clearTimeout(timer);
  }
  return new Response(kept ? await kept.text() : await noPage(url), { status: kept ? 200 : 503, headers: HEADERS });
}

/** Nothing of this page is kept: says so in both languages, with the way to what there is. */
async function noPage(url) {
  const kept = (await (await caches.open(PAGES)).keys()).map((one) => new URL(one.url).pathname);
  const way = kept.find((path) => path !== '/owner') ?? url.pathname;
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Offline</title><h1>No connection</h1><p>This page opens again as soon as the line is back.</p><p lang="bn">সংযোগ নেই। সংযোগ ফিরলেই পাতাটি আবার খুলবে।</p><p><a href="${way.replace(/[&<>"]/g, '')}">SafeGo Support</a></p></html>`;
}

addEventListener('push', (event) => event.waitUntil(notify(event.data)));
addEventListener('notificationclick', (event) => {
  event.notification.close();
  event.waitUntil(openAt(event.notification.data));
});
addEventListener('pushsubscriptionchange', (event) => event.waitUntil(renew(event)));

const windowsAt = async (path) =>
  (await clients.matchAll({ type: 'window', includeUncontrolled: true })).filter(
    (one) => new URL(one.url).pathname === path,
  );

async function notify(data) {
  const { id, tag, title, body, url, lang, dir } = data.json();
  if ((await windowsAt(url)).some((one) => one.visibilityState === 'visible')) return;
  const isAgain = (await registration.getNotifications({ tag })).some((one) => one.data.id === id);
  const icon = '/icon-192.png';
  await registration.showNotification(title, { body, tag, lang, dir, icon, renotify: !isAgain, data: { id, url } });
}

async function openAt({ url }) {
  const [open] = await windowsAt(url);
  return open ? open.focus() : clients.openWindow(url);
}

/** The browser has made another subscription of it. */
async function renew({ oldSubscription, newSubscription }) {
  const options = oldSubscription?.options;
  const { endpoint, keys } = (newSubscription ?? (await registration.pushManager.subscribe(options))).toJSON();
  await fetch('/notices/device', { method: 'POST', body: new URLSearchParams({ endpoint, ...keys }) });
}

/** Whoever has signed out is told nothing here, and leaves nothing standing. */
async function silence() {
  for (const shown of await registration.getNotifications()) shown.close();
  await (await registration.pushManager?.getSubscription())?.unsubscribe();
}
