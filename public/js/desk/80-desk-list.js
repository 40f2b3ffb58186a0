/*
 * The list of conversations. The live channel only says that a conversation changed; the rows are then asked for as this agent
 * may see them, with the filters that stand in the URL, many changes in one request. A row is changed where it stands; it moves
 * up at once, unless the agent has just been at work in the list: then it waits until three seconds of rest, or until the agent
 * asks for it. Neither scroll nor focus nor the chosen row is lost by it.
 */
(() => {
  htmx.registerExtension('desk', {
    htmx_process_changed: (mark) =>
      safego.tell('desk:changed', { id: mark.getAttribute('conversation'), what: mark.getAttribute('what') }),
    htmx_process_rows: (mark) => safego.tell('desk:rows', { items: [...mark.content.cloneNode(true).children] }),
    htmx_process_looking: (mark) => safego.tell('desk:looking', { items: [...mark.content.cloneNode(true).children] }),
    htmx_process_answer: (mark) => safego.tell('desk:answer', { content: mark.content.cloneNode(true) }),
  });

  const gatherMs = 120;
  const restMs = 3000;
  let heard = false;

  safego.behaviour('desk-list', (pane) => {
    const rows = pane.querySelector('#conversations');
    const stale = new Set();
    let asking = false;
    let timer;
    let restTimer;
    let lastWorkAt = 0;
    let newest = false;

    const key = (item) => Number(item.dataset.key ?? 0);
    const isBusy = () =>
      Date.now() - lastWorkAt < restMs && (pane.matches(':hover') || pane.contains(document.activeElement));

    function onChanged({ detail }) {
      stale.add(detail.id);
      timer ??= setTimeout(ask, gatherMs);
    }

    /** One request at a time, fifty rows at most; what came meanwhile goes with the next. */
    async function ask() {
      timer = undefined;
      if (asking || (!stale.size && !newest)) return;
      asking = true;
      const ids = [...stale].slice(0, 50);
      for (const id of ids) stale.delete(id);
      const url = new URL(pane.dataset.rows, location.href);
      url.searchParams.set('ids', ids.join(','));
      if (newest) url.searchParams.set('newest', '1');
      newest = false;
      // what comes by itself is no reason to dim what is being read
      pane.dataset.quiet = '';
      await htmx.ajax('GET', url.pathname + url.search, { source: pane, target: pane, swap: 'none' }).catch(() => {});
      delete pane.dataset.quiet;
      asking = false;
      if (stale.size) timer ??= setTimeout(ask, gatherMs);
    }

    /** Heard again after a gap: what is shown is looked at once more, and what is new comes with it. */
    function onSubscribed({ detail }) {
      if (detail.room !== 'admin_support') return;
      const isFirst = !heard;
      heard = true;
      if (isFirst) return;
      for (const item of [...rows.querySelectorAll(':scope > .item')].slice(0, 50)) stale.add(item.id.slice(2));
      newest = true;
      timer ??= setTimeout(ask, gatherMs);
    }

    function onRows({ detail }) {
      for (const item of detail.items) change(item);
      settle();
      emptyOrNot();
      countInTitle();
    }

    function change(item) {
      const old = document.getElementById(item.id);
      if (item.hasAttribute('data-gone')) {
        if (old && !isOpen(old)) removeSteadily(old);
        else if (old) old.dataset.gone = '';
        return;
      }
      item.dataset.fresh = '';
      if (!old) {
        const last = rows.querySelector('.more')?.previousElementSibling;
        // below what is loaded: the page that holds it will come with "more"
        if (last && key(item) < key(last)) return;
        item.dataset.held = '';
        item.hidden = true;
        rows.prepend(item);
      } else {
        // what is older is late news; by what is due a row may move both ways
        if (key(item) < key(old) && !pane.dataset.sort) return;
        const link = old.querySelector('.item-link');
        const next = item.querySelector('.item-link');
        if (key(item) !== key(old)) old.dataset.held = '';
        for (const attribute of ['key', 'status']) old.dataset[attribute] = item.dataset[attribute];
        old.toggleAttribute('data-unread', item.hasAttribute('data-unread'));
        link.href = next.href;
        link.replaceChildren(...next.childNodes);
        return;
      }
      htmx.process(item);
    }

    /** Puts held rows where they belong, now or when the agent rests. */
    function settle() {
      const held = [...rows.querySelectorAll(':scope > [data-held]')];
      clearTimeout(restTimer);
      if (held.length && isBusy()) {
        tellAbove(held.filter((item) => item.hidden).length);
        restTimer = setTimeout(settle, 500);
        return;
      }
      tellAbove(0);
      if (held.length) place(held);
      safego.tell('desk:chosen');
    }

    /** Moving a focused row would take the focus from it: everything else moves around it. */
    function place(held) {
      const anchor = firstVisible(held);
      const top = anchor?.getBoundingClientRect().top;
      for (const item of held.sort((a, b) => key(a) - key(b))) {
        delete item.dataset.held;
        item.hidden = false;
        const focused = item.contains(document.activeElement) ? document.activeElement : null;
        const before =
          [...rows.children].find((other) => other !== item && key(other) < key(item) && !other.hidden) ?? null;
        if (before !== item.nextElementSibling) rows.insertBefore(item, before);
        focused?.focus({ preventScroll: true });
      }
      if (anchor && pane.scrollTop > 0) pane.scrollTop += anchor.getBoundingClientRect().top - top;
    }

    /** What is above the eye goes without moving what is before it. */
    function removeSteadily(item) {
      const { bottom, height } = item.getBoundingClientRect();
      const isAbove = bottom <= pane.getBoundingClientRect().top;
      item.remove();
      if (isAbove) pane.scrollTop -= height;
    }

    function firstVisible(held) {
      const edge = pane.getBoundingClientRect().top;
      return [...rows.children].find((item) => !held.includes(item) && item.getBoundingClientRect().bottom > edge);
    }

    function tellAbove(count) {
      let button = pane.querySelector('.fresh-above');
      if (!count) return button?.remove();
      if (!button) {
        button = document.createElement('button');
        button.type = 'button';
        button.className = 'button small primary fresh-above';
        button.addEventListener('click', () => {
          lastWorkAt = 0;
          settle();
          pane.scrollTop = 0;
        });
        pane.prepend(button);
      }
      button.textContent = safego.fill(pane.dataset.wordNew, { count: safego.number(count) });
    }

    /** How many conversations hold something unread stands in front of the title, where a hidden tab shows it. */
    function countInTitle() {
      const count = rows.querySelectorAll(':scope > [data-unread]').length;
      const title = document.title.replace(/^\(\S+\) /, '');
      document.title = count ? `(${safego.number(count)}) ${title}` : title;
      safego.tell('desk:unread', { count });
    }

    function emptyOrNot() {
      const empty = pane.querySelector('.list-empty');
      if (empty && rows.children.length) empty.remove();
      else if (!empty && !rows.children.length) safego.reload(pane);
    }

    const isOpen = (item) => item.querySelector('.item-link').hasAttribute('aria-current');
    /** A swap may have brought another title; htmx writes it just after. */
    function onSwap() {
      setTimeout(countInTitle);
    }
    function work() {
      lastWorkAt = Date.now();
    }

    for (const type of ['pointermove', 'pointerdown', 'wheel', 'keydown', 'touchmove'])
      pane.addEventListener(type, work, { passive: true });
    document.addEventListener('htmx:after:swap', onSwap);
    document.addEventListener('desk:changed', onChanged);
    document.addEventListener('desk:rows', onRows);
    document.addEventListener('live:subscribed', onSubscribed);
    safego.tell('desk:chosen');
    countInTitle();

    return () => {
      document.removeEventListener('htmx:after:swap', onSwap);
      clearTimeout(timer);
      clearTimeout(restTimer);
      document.removeEventListener('desk:changed', onChanged);
      document.removeEventListener('desk:rows', onRows);
      document.removeEventListener('live:subscribed', onSubscribed);
    };
  });

  /** The filters: empty ones stay out of the URL, and the conversation that is open stays open. */
  document.addEventListener('htmx:config:request', ({ detail: { ctx } }) => {
    if (ctx.sourceElement.id !== 'filters') return;
    for (const [name, value] of [...ctx.request.body]) if (!value) ctx.request.body.delete(name);
  });
})();
