/*
 * The outbox: what was written stands in this browser's database until the server has it. It survives a reload, a closed tab and
 * a day without a line, goes out in its order, one at a time and from one tab only (a Web Lock, or a lease in the database where
 * there is none), and is never sent as somebody else. Sending again is harmless: the message keeps its id.
 *
 * What the line or a busy server stops is tried again by itself; `Retry-After` is waited out. What the server refuses is held with
 * its sentence until the writer decides. Where there is no database, or it is full, the outbox lives as long as the page.
 *
 * An entry: { n, clientId, owner, conversation, url, values: [name, value][], body, at, tries, code?, reason? }; with a code it is held.
 */
(() => {
  const slow = { answerMs: 30_000, firstMs: 1_000, mostMs: 30_000, leaseMs: 90_000 };
  /** Refusals that hold for the whole conversation: what was written after it waits behind it. */
  const shut = ['conversation_closed', 'support_disabled', 'assigned_to_other', 'not_found', 'forbidden'];
  const tabs = 'BroadcastChannel' in window ? new BroadcastChannel('outbox') : null;
  const unkept = [];
  const database = open();
  let isRunning = false;
  let isAskedAgain = false;
  let isSignedOut = false;
  let waitMs = 0;
  let timer;

  const owner = () => document.querySelector('[data-owner]')?.dataset.owner;

  function open() {
    return new Promise((resolve) => {
      try {
        const request = indexedDB.open('outbox', 1);
        request.onupgradeneeded = () => {
          request.result.createObjectStore('messages', { keyPath: 'n', autoIncrement: true });
          request.result.createObjectStore('leases');
        };
        request.onsuccess = () => {
          request.result.onversionchange = () => request.result.close();
          resolve(request.result);
        };
        request.onerror = () => resolve(null);
      } catch {
        resolve(null);
      }
    });
  }

  /** One transaction; resolves with what the request of `ask` got once it is stored, null where that cannot be. */
  async function inStore(name, ask, mode = 'readwrite') {
    const opened = await database;
    return new Promise((resolve) => {
      try {
        const transaction = opened.transaction(name, mode);
        const request = ask(transaction.objectStore(name));
        transaction.oncomplete = () => resolve(request.result);
        transaction.onabort = () => resolve(null);
      } catch {
        resolve(null);
      }
    });
  }

  /** Everything that this person has written here and the server does not have, oldest first. */
  async function all() {
    const kept = (await inStore('messages', (store) => store.getAll(), 'readonly')) ?? [];
    return [...kept, ...unkept].filter((entry) => entry.owner === owner());
  }

  async function add(entry) {
    const written = { ...entry, owner: owner(), at: Date.now(), tries: 0 };
    if (!(await inStore('messages', (store) => store.add(written)))) unkept.push(written);
    changed();
    void send();
  }

  /** Never brings back what has arrived meanwhile. */
  async function put(entry) {
    const old = unkept.findIndex((one) => !entry.n && one.at === entry.at);
    if (old >= 0) unkept[old] = entry;
    if (!entry.n) return;
    await inStore('messages', (store) => {
      const request = store.get(entry.n);
      request.onsuccess = () => request.result && store.put(entry);
      return request;
    });
  }

  async function remove(clientIds) {
    const gone = (await all()).filter((entry) => clientIds.includes(entry.clientId));
    for (const entry of gone) {
      if (entry.n) await inStore('messages', (store) => store.delete(entry.n));
      else unkept.splice(unkept.indexOf(entry), 1);
    }
    if (gone.length) changed();
  }

  /** The writer decided: out of the hold, with `change` (another id, another address), and what waited behind it too. */
  async function retry(clientId, change = {}) {
    const entries = await all();
    const chosen = entries.find((one) => one.clientId === clientId);
    const isWith = (one) =>
      shut.includes(chosen.code) && one.conversation === chosen.conversation && shut.includes(one.code);
    for (const entry of entries) {
      if (entry !== chosen && !isWith(entry)) continue;
      const { code: _code, reason: _reason, ...rest } = entry;
      await put({ ...rest, ...change, clientId: change.isNew ? safego.uuid() : entry.clientId });
    }
    waitMs = 0;
    changed();
    // what moves to another page is sent from there
    if (!change.url) void send();
  }

  function changed() {
    safego.tell('outbox:changed');
    tabs?.postMessage('changed');
  }

  /** Sends what waits, if no other tab does it. */
  async function send() {
    clearTimeout(timer);
    isAskedAgain = isRunning;
    if (isRunning) return;
    isRunning = true;
    try {
      const waits = !isSignedOut && (await all()).some((entry) => !entry.code);
      if (waits) await alone(sendAll);
    } finally {
      isRunning = false;
    }
    if (isAskedAgain) void send();
  }

  function alone(work) {
    return navigator.locks ? navigator.locks.request(`outbox ${owner()}`, work) : leased(work);
  }

  /** Only one tab's time has not run out. */
  async function leased(work) {
    const now = Date.now();
    let isMine = false;
    await inStore('leases', (store) => {
      const held = store.get(owner());
      held.onsuccess = () => {
        isMine = !(held.result > now);
        if (isMine) store.put(now + slow.leaseMs, owner());
      };
      return held;
    });
    if (!isMine && (await database)) return later();
    await work();
    await inStore('leases', (store) => store.delete(owner()));
  }

  async function sendAll() {
    for (;;) {
      const entry = (await all()).find((one) => !one.code);
      if (!entry) return;
      const answer = navigator.onLine === false ? null : await post(entry);
      const status = answer?.status;
      if (answer && status < 300) await arrived(entry, answer);
      else if (status === 401) return signedOut();
      else if (status === 429 || status === 503) {
        await tried(entry, answer.text);
        // the others wait too: the lock is kept
        await pause(Number(answer.headers.get('Retry-After')) * 1_000 || 2_000);
      } else if (!answer || (status >= 500 && entry.tries < 5)) {
        await tried(entry);
        return later();
      } else await hold(entry, answer.text);
    }
  }

  /** Null when nobody can say what became of it. */
  async function post(entry) {
    const stop = new AbortController();
    const timeout = setTimeout(() => stop.abort(), slow.answerMs);
    const body = new URLSearchParams(entry.values);
    body.set('clientId', entry.clientId);
    try {
      const response = await fetch(entry.url, {
        method: 'POST',
        body,
        headers: { 'HX-Request': 'true' },
        signal: stop.signal,
      });
      const { status, headers } = response;
      const text = await response.text();
      // somebody on the way (a hotel's sign-in page) may say 200 too; the server names the message
      const isOurs = status >= 300 || text.includes(entry.clientId) || headers.has('HX-Redirect');
      return isOurs ? { status, headers, text } : null;
    } catch {
      return null;
    } finally {
      clearTimeout(timeout);
    }
  }

  async function arrived(entry, { text, headers }) {
    waitMs = 0;
    const place = headers.get('HX-Redirect');
    const isHere = document.getElementById('messages')?.dataset.conversation === entry.conversation;
    const swap = { text, swap: 'none', target: document.body, sourceElement: document.body };
    if (isHere && !place) await htmx.swap(swap);
    await remove([entry.clientId]);
    const state = document.getElementById('conversation-state');
    // it was taken after all: the page is behind
    if (isHere && state?.dataset.canWrite === 'false') safego.reload(state);
    safego.tell('outbox:sent', entry);
    // by address: the form may be gone already, because the live channel told of the new conversation first
    if (place && new URL(entry.url, location.href).pathname === location.pathname) location.assign(place);
  }

  const noticeIn = (text) => new DOMParser().parseFromString(text, 'text/html').querySelector('[data-code]');

  async function hold(entry, text) {
    const notice = noticeIn(text);
    const code = notice?.dataset.code ?? 'refused';
    const reason = notice?.textContent.trim() ?? '';
    for (const one of shut.includes(code) ? await all() : [entry]) {
      if (one.conversation === entry.conversation && !one.code) await put({ ...one, code, reason });
    }
    if (shut.includes(code)) safego.reload(document.getElementById('conversation-state'));
    changed();
  }

  /** A server that says why it has no time is quoted. */
  async function tried(entry, text = '') {
    const notice = noticeIn(text);
    const said = notice?.dataset.code === 'no_room' ? notice.textContent.trim() : '';
    await put({ ...entry, said, tries: entry.tries + 1 });
    changed();
  }

  function pause(ms) {
    return new Promise((done) => setTimeout(done, ms));
  }

  /** Again after a while, each time a longer one. */
  function later() {
    waitMs = Math.min(waitMs * 2 || slow.firstMs, slow.mostMs);
    timer = setTimeout(send, waitMs);
  }

  function signedOut() {
    isSignedOut = true;
    safego.tell('outbox:signed-out');
    changed();
  }

  /** The line, the page or the person is back. */
  function wake() {
    if (document.hidden) return;
    isSignedOut = false;
    waitMs = 0;
    void send();
  }

  if (tabs) tabs.onmessage = () => safego.tell('outbox:changed');
  document.addEventListener('visibilitychange', wake);
  document.addEventListener('live:up', wake);
  document.addEventListener('messages:changed', ({ detail }) => {
    const clientIds = detail.items.map((item) => item.dataset.clientId).filter(Boolean);
    if (clientIds.length) void remove(clientIds);
  });
  addEventListener('online', wake);
  addEventListener('offline', () => safego.tell('outbox:changed'));
  addEventListener('pageshow', wake);
  document.addEventListener('DOMContentLoaded', send);

  safego.outbox = { all, add, remove, retry, isSignedOut: () => isSignedOut };
})();
