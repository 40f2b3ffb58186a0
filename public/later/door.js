/*
 * In the frame that embed.js makes, as long as the chat is closed: signs in with the host's token and tells the number of unread
 * messages. Listens to the page around it alone, and only if its origin is one that the tenant has named; answers to that origin.
 */
(() => {
  const { dataset } = document.body;
  const origins = dataset.origins.split(' ');
  const again = { firstMs: 5_000, mostMs: 300_000 };
  let host = null;
  let stream = null;
  let waitMs = again.firstMs;
  let isTried = false;

  function say(message) {
    if (host) parent.postMessage({ safego: 1, ...message }, host);
  }

  function tell() {
    const { wordOpen: open, wordClose: close, wordTab: tab, wordWait: wait, wordUnread: unread, wordCount } = dataset;
    say({ type: 'count', count: Number(dataset.count), words: { open, close, tab, wait, unread, count: wordCount } });
  }

  /** The page as it is now; true when somebody is signed in. */
  async function look() {
    const answer = await fetch(location.pathname, { cache: 'no-store' });
    if (!answer.ok) throw new Error(`${answer.status}`);
    const { body } = new DOMParser().parseFromString(await answer.text(), 'text/html');
    // whether we are of one site with the host only the first answer knew
    const { site } = dataset;
    for (const name of Object.keys(dataset)) delete dataset[name];
    Object.assign(dataset, body.dataset, { site });
    return Boolean(dataset.chat);
  }

  function ready() {
    say({ type: 'here', at: 'door' });
    tell();
    listen();
  }

  /** Counts again when the event stream says that something happened; while the host's page is looked at. */
  function listen() {
    stream?.close();
    stream = null;
    if (document.hidden || !dataset.room) return;
    const source = new EventSource(`/events?room=${dataset.room}&after=`);
    stream = source;
    let isFirst = true;
    source.onmessage = async ({ data }) => {
      waitMs = again.firstMs;
      if (!/hx-(reload|subscribed)/.test(data)) return;
      // the first one says no more than that we listen
      if (!isFirst) await count();
      isFirst = false;
    };
    source.onerror = () => {
      source.close();
      if (stream !== source) return;
      stream = null;
      setTimeout(() => stream || count().then(listen), waitMs);
      waitMs = Math.min(waitMs * 2, again.mostMs);
    };
  }

  async function count() {
    const isIn = await look().catch(() => null);
    if (isIn === null) return;
    if (isIn) tell();
    else say({ type: 'token' });
  }

  async function signIn(token) {
    isTried = true;
    const body = new URLSearchParams({ token, site: dataset.site });
    const answer = await fetch(location.pathname, { method: 'POST', body }).catch(() => null);
    // a browser that keeps no cookie in frames forgets it at once
    if (answer?.ok && (await look().catch(() => false))) ready();
    else say({ type: 'tab' });
  }

  const heard = {
    hello({ user }) {
      // without a name to compare, whoever was here last may be somebody else
      if (dataset.chat && (isTried || (user && user === dataset.user))) ready();
      else say({ type: 'token' });
    },
    token({ token }) {
      if (typeof token === 'string' && token.length <= 16_384) void signIn(token);
    },
    open({ to }) {
      if (!dataset.chat) return;
      const isOurs = typeof to === 'string' && to.startsWith(dataset.chat) && /^[\w/-]+$/.test(to);
      location.replace(isOurs ? to : dataset.chat);
    },
  };

  addEventListener('message', ({ source, origin, data }) => {
    if (source !== parent || parent === window || !origins.includes(origin)) return;
    if (data?.safego !== 1 || !Object.hasOwn(heard, data.type)) return;
    host = origin;
    heard[data.type](data);
  });
  document.addEventListener('visibilitychange', () => {
    if (!host || !dataset.chat) return;
    if (document.hidden) listen();
    else void count().then(listen);
  });
})();
