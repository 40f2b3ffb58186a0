/*
 * Tells this device of answers, or stops it; loaded by js/45-push.js. Somebody who has written is asked once, in the page; only their
 * yes opens the browser's own question. A no is kept here and on the server, for good, until they change it under "Notices".
 * Who said yes is subscribed anew where their session or our key is a new one.
 */
(() => {
  const { owner } = document.body.dataset;
  const place = document.getElementById('push');
  const isPage = place.dataset.now !== undefined;
  const patienceMs = 10_000;

  const store = (storage, name, value) => {
    try {
      if (value === undefined) return storage.getItem(name);
      storage.setItem(name, value);
    } catch {
      // Then it holds as long as the page.
    }
    return null;
  };
  const choice = (value) => store(localStorage, `push:${owner}`, value);

  /** Our own answer: the offer in its states, and the key. */
  const box = () => place.querySelector('[data-key]');

  function show(state) {
    for (const item of place.querySelectorAll('[data-push-when]')) {
      item.hidden = !item.dataset.pushWhen.split(' ').includes(state);
    }
  }

  const post = async (url, values) => {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'HX-Request': 'true' },
      body: new URLSearchParams(values),
    });
    if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  };

  const worker = () =>
    Promise.race([
      navigator.serviceWorker.ready,
      new Promise((_, refuse) => setTimeout(() => refuse(new Error('no worker')), patienceMs)),
    ]);

  const bytes = (text) =>
    Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0));

  async function subscribe() {
    const key = bytes(box().dataset.key);
    const { pushManager } = await worker();
    let subscription = await pushManager.getSubscription();
    const used = subscription && new Uint8Array(subscription.options.applicationServerKey ?? []);
    if (used && !(used.length === key.length && used.every((one, at) => one === key[at]))) {
      await subscription.unsubscribe();
      subscription = null;
    }
    subscription ??= await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
    const { endpoint, keys } = subscription.toJSON();
    await post('/notices/device', { endpoint, p256dh: keys.p256dh, auth: keys.auth });
    choice('yes');
  }

  async function on() {
    // asked with the finger still on the button, or browsers do not ask
    const permission = await Notification.requestPermission();
    if (permission === 'denied') await no();
    if (permission !== 'granted') return show(permission === 'denied' ? 'denied' : isPage ? 'off' : '');
    await subscribe();
    show('on');
  }

  async function off() {
    const { pushManager } = await worker();
    const subscription = await pushManager.getSubscription();
    if (subscription) {
      await post('/notices/device/remove', { endpoint: subscription.endpoint });
      await subscription.unsubscribe();
    }
    choice('no');
    show('off');
  }

  async function no() {
    choice('no');
    show('');
    await post(box().dataset.action, { what: 'push-no' });
  }

  place.addEventListener('click', async ({ target }) => {
    const what = target.closest('[data-push]')?.dataset.push;
    if (!what) return;
    try {
      await { on, off, no }[what]();
    } catch {
      show('failed');
    }
  });

  /** Where nothing is shown yet: the offer, as far as it may be made. */
  async function ask() {
    const given = choice();
    if (given === 'no' || Notification.permission === 'denied') return;
    const renews = given === 'yes' && Notification.permission === 'granted';
    if (renews && store(sessionStorage, 'push') === owner) return;
    const answer = await fetch(place.dataset.offer, { headers: { 'HX-Request': 'true' } });
    if (!answer.ok || place.querySelector('[data-push-when]:not([hidden])')) return;
    const offer = new DOMParser().parseFromString(await answer.text(), 'text/html').querySelector('[data-key]');
    if (!offer) return;
    place.replaceChildren(offer);
    if (renews) {
      await subscribe();
      store(sessionStorage, 'push', owner);
    } else if (store(sessionStorage, 'wrote') && box().dataset.mayAsk !== undefined) {
      show('ask');
    }
  }

  async function stand() {
    if (Notification.permission === 'denied') return show('denied');
    const subscription = await (await worker()).pushManager.getSubscription();
    const isOn = subscription && choice() === 'yes' && Notification.permission === 'granted';
    if (isOn) await subscribe();
    show(isOn ? 'on' : 'off');
  }

  const begin = () => (isPage ? stand() : ask()).catch(() => isPage && show('off'));
  document.addEventListener('push:asked', begin);
  void begin();
})();
