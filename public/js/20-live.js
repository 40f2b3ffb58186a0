/*
 * The page's one live connection. A socket first; after three failures without an open, an event stream; after three of those,
 * polling; and up again after a while, because a server that restarts looks like a line that takes no sockets. All carry the same
 * fragments, which htmx puts in their places one after the other.
 *
 * The cursor moves with the live channel only, never with the answer to a POST: each new connection asks for what came after it.
 * 35 seconds without a sign of life (the server beats every 20) count as lost. 4401 and 4403 end it, and the page says so.
 */
safego.behaviour('live', (live) => {
  const silentAfterMs = 35_000;
  const pollEveryMs = 10_000;
  const climbAfterMs = { first: 5_000, most: 600_000 };
  const line = document.getElementById('connection');
  const wire = document.createElement('div');
  const cursors = new Map(live.dataset.rooms.split(' ').map((room) => room.split('@')));
  const seenRooms = new Set();
  const means = live.dataset.first === 'sse' ? ['sse', 'poll'] : ['ws', 'sse', 'poll'];
  // A page that only counts has no conversation to lose.
  const isQuiet = live.dataset.first === 'sse';
  let mean = means[0];
  let failures = 0;
  let opened = false;
  let ended = false;
  let lastSign = Date.now();
  let lostSince = 0;
  let polledAt = 0;
  let climbAt = 0;
  let climbWaitMs = climbAfterMs.first;
  let isClimbing = false;
  /** A socket or an event stream; null while there is none. */
  let stream = null;
  let receiving = Promise.resolve();
  let attempts = 0;
  let retry;

  const address = (path) => {
    const query = [...cursors].map(([room, at]) => `room=${room}&after=${encodeURIComponent(at ?? '')}`);
    return `${path}?${query.join('&')}`;
  };
  const socketAddress = () => `${location.origin.replace(/^http/, 'ws')}${address('/ws')}`;

  function connect() {
    if (ended) return;
    opened = false;
    lastSign = Date.now();
    unplug();
    live.dataset.mean = mean;
    const mark = document.getElementById('mean');
    if (mark) {
      mark.hidden = mean === 'ws';
      mark.ariaLabel = mark.title = live.dataset[mean === 'sse' ? 'wordSse' : 'wordPoll'] ?? '';
    }
    if (mean === 'ws') plug();
    if (mean === 'sse') listen();
  }

  function unplug() {
    clearTimeout(retry);
    stream?.close();
    stream = null;
  }

  /** One after the other: what comes later may be about what came before. */
  function take(text) {
    sign();
    receiving = receiving
      .then(() => htmx.swap({ text, swap: 'none', target: wire, sourceElement: wire }))
      .catch(() => {});
  }

  function plug() {
    const socket = new WebSocket(socketAddress());
    stream = socket;
    socket.addEventListener('open', () => {
      attempts = 0;
      sign();
    });
    socket.addEventListener('message', ({ data }) => stream === socket && take(data));
    socket.addEventListener('close', ({ code }) => {
      if (stream !== socket) return;
      stream = null;
      if (code === 4401) return end(line.dataset.signedOut);
      if (code === 4403) return end(line.dataset.refused);
      lost();
      // others than these would come again: then the silence is waited out
      if (mean !== 'ws' || isResting() || ![1001, 1005, 1006, 1011, 1012, 1013, 1014].includes(code)) return;
      attempts += 1;
      retry = setTimeout(plug, Math.min(500 * 2 ** (attempts - 1), 15_000) * (0.7 + Math.random() * 0.6));
    });
  }

  const isResting = () => document.hidden && live.dataset.pauses === 'true';

  /** The same fragments by an event stream. It never comes back by itself: its address would be that of an old cursor. */
  function listen() {
    const source = new EventSource(address('/events'));
    stream = source;
    source.onopen = sign;
    source.onmessage = ({ data }) => take(data);
    source.onerror = async () => {
      source.close();
      if (stream !== source) return;
      // an event stream does not tell why it was refused
      const { status } = await fetch(address('/events'), { method: 'HEAD' }).catch(() => ({}));
      if (stream !== source || isRefused(status)) return;
      lost();
      setTimeout(() => stream === source && connect(), 1000 * (failures + 1));
    };
  }

  /** Not signed in, or not allowed: ends it. */
  function isRefused(status) {
    if (status === 401) end(line.dataset.signedOut);
    else if (status === 403 || status === 404) end(line.dataset.refused);
    return ended;
  }

  function sign() {
    lastSign = Date.now();
    if (!lostSince && opened) return;
    opened = true;
    failures = 0;
    lostSince = 0;
    isClimbing = false;
    if (mean === means[0]) climbWaitMs = climbAfterMs.first;
    line.hidden = true;
    safego.tell('live:up');
  }

  function lost() {
    if (ended || document.hidden) return;
    if (!isClimbing) lostSince ||= Date.now();
    failures = opened ? 1 : failures + 1;
    opened = false;
    if (failures < 3 || mean === 'poll' || !navigator.onLine) return;
    mean = means[means.indexOf(mean) + 1];
    failures = 0;
    climbAt = Date.now() + climbWaitMs;
    climbWaitMs = Math.min(climbWaitMs * 2, climbAfterMs.most);
    setTimeout(connect);
  }

  function end(words) {
    ended = true;
    unplug();
    line.textContent = words;
    line.hidden = isQuiet && words === line.dataset.refused;
    safego.tell(words === line.dataset.signedOut ? 'live:signed-out' : 'live:refused');
  }

  function poll() {
    const list = document.getElementById('messages');
    if (!live.dataset.poll || !list || Date.now() - polledAt < pollEveryMs) return;
    polledAt = Date.now();
    const last = list.querySelector('[data-seq]:last-child')?.dataset.seq ?? 0;
    htmx.ajax('GET', `${live.dataset.poll}?after=${Math.floor(last)}`, { source: live, swap: 'none' }).catch(() => {});
  }

  /** Once a second: has it gone silent, how long is it lost, is it time to ask again? */
  function watch() {
    if (ended || document.hidden) return;
    if (mean !== means[0] && opened && Date.now() > climbAt) {
      isClimbing = true;
      mean = means[0];
      failures = 0;
      connect();
    } else if (mean === 'poll') {
      poll();
    } else if (Date.now() - lastSign > silentAfterMs) {
      lost();
      connect();
    }
    const seconds = lostSince ? Math.round((Date.now() - lostSince) / 1000) : 0;
    line.hidden = isQuiet || seconds < 2;
    if (!line.hidden) line.textContent = safego.fill(line.dataset.lost, { seconds: safego.number(seconds) });
  }

  // What a refused poll says is no news for the reader.
  live.addEventListener('htmx:before:swap', (event) => {
    if (event.detail.ctx.response?.status >= 400) event.preventDefault();
  });
  live.addEventListener('htmx:after:request', ({ detail }) => {
    const { status } = detail.ctx.response;
    if (!isRefused(status) && mean === 'poll' && status < 400) sign();
  });

  function onCursor({ detail }) {
    if (detail.at && cursors.has(detail.room)) cursors.set(detail.room, detail.at);
  }
  function onSubscribed({ detail }) {
    onCursor({ detail });
    const isFirst = !seenRooms.has(detail.room);
    seenRooms.add(detail.room);
    if (!detail.isReset || (isFirst && !detail.at)) return;
    for (const region of document.querySelectorAll(`[data-room="${CSS.escape(detail.room)}"]`)) safego.reload(region);
  }
  /** The desk opened another conversation: other rooms, so another connection. */
  function onRooms({ detail }) {
    const wanted = detail.rooms.split(' ').map((room) => room.split('@'));
    if (wanted.length === cursors.size && wanted.every(([room]) => cursors.has(room))) return;
    const known = new Map(cursors);
    cursors.clear();
    for (const [room, at] of wanted) cursors.set(room, at ?? known.get(room));
    seenRooms.clear();
    connect();
  }
  function onSend({ detail }) {
    detail.sent = mean === 'ws' && stream?.readyState === 1;
    if (detail.sent) stream.send(JSON.stringify(detail.frame));
  }
  function onSignedOut() {
    if (!ended) end(line.dataset.signedOut);
  }
  /** Somebody signed in again, in another window: what waited has gone out. */
  function onSent() {
    if (!ended) return;
    ended = false;
    connect();
  }
  function onShow(event) {
    if (event.persisted) connect();
  }
  function onLine() {
    if (!opened) connect();
  }
  /** The browser knows before the silence does: what is open may never answer again, nor say that it is closed. */
  function onOffline() {
    if (ended || isResting()) return;
    lost();
    connect();
  }
  function onVisible() {
    lastSign = Date.now();
    if (!document.hidden) lostSince = 0;
    if (mean === 'poll' || ended || live.dataset.pauses !== 'true') return;
    if (document.hidden) unplug();
    else if (!stream) connect();
  }
  document.addEventListener('live:cursor', onCursor);
  document.addEventListener('live:subscribed', onSubscribed);
  document.addEventListener('live:rooms', onRooms);
  document.addEventListener('live:send', onSend);
  document.addEventListener('outbox:signed-out', onSignedOut);
  document.addEventListener('outbox:sent', onSent);
  document.addEventListener('visibilitychange', onVisible);
  addEventListener('pageshow', onShow);
  addEventListener('online', onLine);
  addEventListener('offline', onOffline);
  const timer = setInterval(watch, 1000);
  live.append(wire);
  setTimeout(connect);

  return () => {
    ended = true;
    unplug();
    clearInterval(timer);
    document.removeEventListener('live:cursor', onCursor);
    document.removeEventListener('live:subscribed', onSubscribed);
    document.removeEventListener('live:rooms', onRooms);
    document.removeEventListener('live:send', onSend);
    document.removeEventListener('outbox:signed-out', onSignedOut);
    document.removeEventListener('outbox:sent', onSent);
    document.removeEventListener('visibilitychange', onVisible);
    removeEventListener('pageshow', onShow);
    removeEventListener('online', onLine);
    removeEventListener('offline', onOffline);
  };
});
