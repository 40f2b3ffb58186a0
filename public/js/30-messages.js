/*
 * The list of messages: stays at its end while the reader is there (CSS does the scrolling), tells of new ones while he is not,
 * draws the day lines between what arrives live, puts the seen marks, and moves one's own read mark while the page is looked at.
 */
safego.behaviour('messages', (list) => {
  const log = list.closest('.log');
  const latest = document.getElementById('latest');
  const otherSide = list.dataset.audience === 'user' ? 'admin' : 'user';
  const ownSide = list.dataset.audience === 'user' ? 'user' : 'admin';
  let readSeq = Number(list.dataset.readSeq);
  let timer;

  const isAtEnd = () => log.scrollTop > -80;
  const isLookedAt = () => !document.hidden && isAtEnd();
  const lastOf = (side) => [...list.querySelectorAll(`:scope > [data-side="${side}"]`)].at(-1);

  function showLatest() {
    if (!latest) return;
    if (isAtEnd()) delete latest.dataset.fresh;
    latest.hidden = isAtEnd();
    latest.textContent = latest.dataset.fresh ? latest.dataset.wordNew : latest.dataset.wordLatest;
  }

  function markSeen() {
    const seen = Number(list.dataset.seen);
    for (const item of list.querySelectorAll(`:scope > [data-side="${ownSide}"]:not([data-read])`)) {
      if (Number(item.dataset.seq) > seen) continue;
      item.dataset.read = '';
      item.querySelector('.mark').textContent = list.dataset.wordSeen;
    }
  }

  /** Tells the server how far was read, over the socket, or by a POST when there is none; half a second after the last change. */
  function read() {
    clearTimeout(timer);
    timer = setTimeout(() => {
      const seq = Number(lastOf(otherSide)?.dataset.seq ?? 0);
      if (!isLookedAt() || seq <= readSeq) return;
      readSeq = seq;
      const detail = { frame: { type: 'message:read', conversationId: list.dataset.conversation, seq }, sent: false };
      safego.tell('live:send', detail);
      if (!detail.sent) htmx.ajax('POST', list.dataset.readUrl, { source: list, swap: 'none', values: { seq } });
    }, 400);
  }

  function drawDays(added) {
    for (const item of added) {
      if (!item.isConnected || item.classList.contains('day')) continue;
      const day = dayOf(item);
      const before = item.previousElementSibling;
      if (!day || document.getElementById(`d-${day}`) || (before && dayOf(before) === day)) continue;
      const line = document.createElement('li');
      line.id = `d-${day}`;
      line.className = 'day';
      const seq = Number(item.dataset.seq);
      line.dataset.seq = String(seq - (seq % 1 ? 0.0000005 : 0.5));
      const time = document.createElement('time');
      time.dateTime = day;
      time.textContent =
        day === dayKey(new Date()) ? list.dataset.wordToday : dayName(new Date(item.querySelector('time').dateTime));
      line.append(time);
      item.before(line);
    }
  }

  /** A word is enough only for the last message, if it is the other side's. */
  function offerReactions() {
    const form = document.getElementById('react');
    const last = [...list.querySelectorAll(':scope > .message')].at(-1);
    if (!form) return;
    form.hidden = last?.dataset.side !== otherSide || !!last.querySelector('[data-deleted]');
    form.elements.seq.value = last?.dataset.seq;
    for (const button of form.querySelectorAll('button'))
      button.ariaPressed = !!last?.querySelector(`[data-by="${ownSide}"][data-reaction="${button.value}"]`);
  }

  function onChanged({ detail }) {
    if (detail.list !== list) return;
    drawDays(detail.added);
    markSeen();
    const fresh = detail.atEnd && detail.added.find((item) => item.dataset.side === otherSide);
    if (fresh && !isLookedAt()) {
      if (latest) latest.dataset.fresh = 'true';
      if (!list.querySelector('[data-new]')) fresh.dataset.new = list.dataset.wordNew;
    }
    if (detail.added.some((item) => item.dataset.side === ownSide))
      list.querySelector('[data-new]')?.removeAttribute('data-new');
    showLatest();
    offerReactions();
    read();
  }
  function onSeen({ detail }) {
    if (detail.seq <= Number(list.dataset.seen)) return;
    list.dataset.seen = detail.seq;
    markSeen();
  }
  function onScroll() {
    showLatest();
    if (isAtEnd()) read();
  }
  function toEnd() {
    log.scrollTop = 0;
    log.focus({ preventScroll: true });
  }

  document.addEventListener('messages:changed', onChanged);
  document.addEventListener('messages:seen', onSeen);
  document.addEventListener('visibilitychange', read);
  document.addEventListener('live:up', read);
  addEventListener('focus', read);
  log.addEventListener('scroll', onScroll, { passive: true });
  latest?.addEventListener('click', toEnd);
  showLatest();
  read();

  return () => {
    clearTimeout(timer);
    document.removeEventListener('messages:changed', onChanged);
    document.removeEventListener('messages:seen', onSeen);
    document.removeEventListener('visibilitychange', read);
    document.removeEventListener('live:up', read);
    removeEventListener('focus', read);
    log.removeEventListener('scroll', onScroll);
    latest?.removeEventListener('click', toEnd);
  };

  function zone() {
    return document.documentElement.dataset.zone;
  }
  /** 2026-11-21, in the page's zone. */
  function dayKey(date) {
    return new Intl.DateTimeFormat('en-CA', {
      timeZone: zone(),
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
    }).format(date);
  }
  function dayOf(item) {
    const time = item.querySelector('time')?.dateTime;
    return time && (item.classList.contains('day') ? time : dayKey(new Date(time)));
  }
  /** As the server writes it: the day before the month. */
  function dayName(date) {
    const { lang } = document.documentElement;
    return new Intl.DateTimeFormat(lang === 'en' ? 'en-GB' : lang, {
      timeZone: zone(),
      day: 'numeric',
      month: 'long',
    }).format(date);
  }
});
