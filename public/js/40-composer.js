/*
 * Writing. Each message gets its own id before it leaves, so that sending it again is never sending it twice. It stands in #pending
 * at once (a copy of the server's own partial), goes when the stored one arrives, and stays with "send again" when it fails.
 * What is not yet stored, and what is half written, survives a reload.
 */
safego.behaviour('composer', (form) => {
  const field = form.querySelector('textarea');
  const pending = document.getElementById('pending');
  const notice = document.getElementById('composer-notice');
  const bubble = document.getElementById('pending-template');
  const again = document.getElementById('again-template');
  const draftName = `draft:${form.dataset.conversation}`;
  const outboxName = `outbox:${form.dataset.conversation}`;
  const hasKeyboard = matchMedia('(hover: hover) and (pointer: fine)');
  const store = safeStore();

  const outbox = () => JSON.parse(store.get(outboxName) ?? '{}');
  const remember = (clientId, body) => store.set(outboxName, JSON.stringify({ ...outbox(), [clientId]: body }));
  const forget = (clientId) => {
    const { [clientId]: _gone, ...rest } = outbox();
    store.set(outboxName, Object.keys(rest).length ? JSON.stringify(rest) : '');
  };
  const waiting = (clientId) => pending.querySelector(`[data-client-id="${CSS.escape(clientId)}"]`);

  function show(clientId, body) {
    const item = bubble.content.firstElementChild.cloneNode(true);
    const time = item.querySelector('time');
    item.id = `pending-${clientId}`;
    item.dataset.clientId = clientId;
    item.querySelector('.body').textContent = body;
    time.dateTime = new Date().toISOString();
    safego.tell('item:prepare', { item, list: pending });
    pending.append(item);
    return item;
  }

  function fail(clientId) {
    const item = waiting(clientId);
    if (!item || item.dataset.state === 'failed') return;
    item.dataset.state = 'failed';
    item.append(again.content.firstElementChild.cloneNode(true));
  }

  function done(clientId) {
    forget(clientId);
    waiting(clientId)?.remove();
  }

  function send(clientId, body) {
    const item = waiting(clientId);
    delete item.dataset.state;
    item.querySelector('.again')?.remove();
    const values = { clientId, body };
    htmx.ajax('POST', form.getAttribute('hx-post'), { source: form, swap: 'none', values }).catch(() => {});
  }

  /** The request is about to be made: give it its id, show the bubble, free the field. */
  function onRequest(event) {
    const { ctx } = event.detail;
    if (ctx.sourceElement !== form) return;
    const again = ctx.values?.clientId;
    const body = ctx.request.body.get('body');
    if (!again && !body.trim()) return event.preventDefault();
    ctx.clientId = again ?? crypto.randomUUID();
    ctx.request.body.set('clientId', ctx.clientId);
    ctx.request.body.set('seen', lastSeen());
    if (again) return;
    remember(ctx.clientId, body);
    show(ctx.clientId, body);
    notice.replaceChildren();
    field.value = '';
    store.set(draftName, '');
    grow();
    field.closest('.thread').querySelector('.log').scrollTop = 0;
    safego.tell('composer:sent');
  }

  function onFinal({ detail: { ctx } }) {
    if (ctx.sourceElement !== form || !ctx.clientId) return;
    if (ctx.response && ctx.response.status < 300) done(ctx.clientId);
    else {
      fail(ctx.clientId);
      // what the server said belongs above the field, not into the page's corner
      if (ctx.response) notice.replaceChildren(...(document.getElementById('notice')?.childNodes ?? []));
    }
  }

  function onChanged({ detail }) {
    for (const item of detail.items) if (item.dataset.clientId) done(item.dataset.clientId);
  }

  function onPendingClick(event) {
    const item = event.target.closest('[data-client-id]');
    if (!item) return;
    const body = item.querySelector('.body').textContent;
    if (event.target.closest('[data-again]')) send(item.dataset.clientId, body);
    if (event.target.closest('[data-edit]')) {
      done(item.dataset.clientId);
      field.value = field.value ? `${body}\n${field.value}` : body;
      onInput();
      field.focus();
    }
  }

  function onKey(event) {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing || !hasKeyboard.matches) return;
    event.preventDefault();
    form.requestSubmit();
  }
  function onInput() {
    store.set(draftName, field.value);
    grow();
  }
  function grow() {
    if (CSS.supports('field-sizing', 'content')) return;
    field.style.blockSize = 'auto';
    field.style.blockSize = `${field.scrollHeight + 2}px`;
  }
  function lastSeen() {
    return document.querySelector('#messages > [data-seq]:last-child')?.dataset.seq ?? '0';
  }

  form.addEventListener('htmx:config:request', onRequest);
  form.addEventListener('htmx:finally:request', onFinal);
  document.addEventListener('messages:changed', onChanged);
  pending?.addEventListener('click', onPendingClick);
  field.addEventListener('keydown', onKey);
  field.addEventListener('input', onInput);

  if (!field.value) field.value = store.get(draftName) ?? '';
  grow();
  if (pending) {
    for (const [clientId, body] of Object.entries(outbox())) {
      if (document.querySelector(`#messages > [data-client-id="${CSS.escape(clientId)}"]`)) forget(clientId);
      else if (!waiting(clientId)) {
        show(clientId, body);
        fail(clientId);
      }
    }
  }
  return () => document.removeEventListener('messages:changed', onChanged);

  /** Storage that may be full, or forbidden; writing must go on without it. */
  function safeStore() {
    return {
      get(name) {
        try {
          return sessionStorage.getItem(name) || null;
        } catch {
          return null;
        }
      },
      set(name, value) {
        try {
          if (value) sessionStorage.setItem(name, value);
          else sessionStorage.removeItem(name);
        } catch {
          // Then the draft lives as long as the page.
        }
      },
    };
  }
});
