/*
 * Writing. Each message gets its own id before it leaves, so that sending it again is never sending it twice. It goes into the
 * outbox and stands in #pending at once (a copy of the server's own partial) until the stored one arrives. What waits for the line
 * says so; what was refused says why, with the ways out. What is half written survives a reload and a closed tab.
 */
safego.behaviour('composer', (form) => {
  const { conversation, owner, start } = form.dataset;
  const field = form.querySelector('textarea');
  const pending = document.getElementById('pending');
  const notice = document.getElementById('composer-notice');
  const draftName = `draft:${owner}:${conversation}`;
  const hasKeyboard = matchMedia('(hover: hover) and (pointer: fine)');
  /** Bubbles that are drawn and not yet in the outbox. */
  const fresh = new Set();

  const bubbleOf = (clientId) => document.querySelector(`#pending > [data-client-id="${CSS.escape(clientId)}"]`);
  const arrived = (clientId) => document.querySelector(`#messages > [data-client-id="${CSS.escape(clientId)}"]`);

  function draw(clientId, body) {
    const item = document.getElementById('pending-template').content.firstElementChild.cloneNode(true);
    item.id = `pending-${clientId}`;
    item.dataset.clientId = clientId;
    item.querySelector('.body').textContent = body;
    item.querySelector('time').dateTime = new Date().toISOString();
    safego.tell('item:prepare', { item, list: pending });
    document.getElementById('pending').append(item);
    return item;
  }

  /** How it stands with one that has not arrived: on its way (nothing to say), waiting, or refused. */
  function describe(item, entry) {
    const isHeld = Boolean(entry.code);
    const isOut = safego.outbox.isSignedOut();
    const state = isHeld ? 'held' : entry.tries || isOut || navigator.onLine === false ? 'waiting' : '';
    const words = isHeld ? entry.reason : isOut ? form.dataset.wordOut : entry.said || form.dataset.wordWaiting;
    const said = item.querySelector('.again');
    if (item.dataset.state === state && said?.firstChild.textContent === words) return;
    item.dataset.state = state;
    said?.remove();
    if (!state) return;
    const line = document.getElementById('again-template').content.firstElementChild.cloneNode(true);
    line.querySelector('span').textContent = words;
    if (isHeld) line.setAttribute('role', 'alert');
    const again = line.querySelector('[data-again]');
    if (entry.code === 'client_id_reused') again.textContent = again.dataset.again;
    line.querySelector('[data-move]').hidden = !(start && entry.code === 'conversation_closed');
    item.append(line);
  }

  async function show() {
    const entries = (await safego.outbox.all()).filter((entry) => entry.conversation === conversation);
    const known = entries.map((entry) => entry.clientId);
    for (const item of [...document.getElementById('pending').children]) {
      if (!known.includes(item.dataset.clientId) && !fresh.has(item.dataset.clientId)) item.remove();
    }
    const there = known.filter(arrived);
    if (there.length) void safego.outbox.remove(there);
    for (const entry of entries) {
      if (there.includes(entry.clientId)) continue;
      describe(bubbleOf(entry.clientId) ?? draw(entry.clientId, entry.body), entry);
    }
  }

  async function onSubmit(event) {
    event.preventDefault();
    const body = field.value;
    const values = [...new FormData(form)].filter(([name, value]) => name !== 'seen' && typeof value === 'string');
    if (!body.trim() && !values.some(([name]) => name === 'attachmentIds')) return;
    const clientId = form.elements.clientId.value;
    form.elements.clientId.value = safego.uuid();
    fresh.add(clientId);
    draw(clientId, body);
    notice.replaceChildren();
    field.value = '';
    grow();
    const log = document.querySelector('.log');
    if (log) log.scrollTop = 0;
    safego.tell('composer:sent');
    await safego.outbox.add({ clientId, conversation, url: form.getAttribute('action'), values, body });
    fresh.delete(clientId);
    keep();
  }

  function onPendingClick({ target }) {
    const clientId = target.closest('[data-client-id]')?.dataset.clientId;
    if (!clientId) return;
    if (target.closest('[data-again]')) void sendAgain(clientId);
    if (target.closest('[data-move]')) void move(clientId);
    if (target.closest('[data-edit]')) void takeBack(clientId);
  }

  async function sendAgain(clientId) {
    const entry = (await safego.outbox.all()).find((one) => one.clientId === clientId);
    if (entry) await safego.outbox.retry(clientId, { isNew: entry.code === 'client_id_reused' });
  }

  /** What was written into a closed conversation begins a new one. */
  async function move(clientId) {
    await safego.outbox.retry(clientId, { isNew: true, conversation: 'start', url: start });
    location.assign(start);
  }

  /** It keeps its id: should the server have it after all, it says so instead of taking a second one. */
  async function takeBack(clientId) {
    const entry = (await safego.outbox.all()).find((one) => one.clientId === clientId);
    if (!entry) return;
    await safego.outbox.remove([clientId]);
    form.elements.clientId.value = clientId;
    field.value = field.value ? `${entry.body}\n${field.value}` : entry.body;
    onInput();
    field.focus();
  }

  function onKey(event) {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing || !hasKeyboard.matches) return;
    event.preventDefault();
    form.requestSubmit();
  }
  function onInput() {
    keep();
    grow();
  }
  function grow() {
    if (CSS.supports('field-sizing', 'content')) return;
    field.style.blockSize = 'auto';
    field.style.blockSize = `${field.scrollHeight + 2}px`;
  }
  /** Storage may be full, or forbidden; writing must go on without it. */
  function keep() {
    try {
      if (field.value) localStorage.setItem(draftName, field.value);
      else localStorage.removeItem(draftName);
    } catch {
      // Then the draft lives as long as the page.
    }
  }
  function kept() {
    try {
      return localStorage.getItem(draftName) ?? '';
    } catch {
      return '';
    }
  }

  form.addEventListener('submit', onSubmit);
  field.addEventListener('keydown', onKey);
  field.addEventListener('input', onInput);
  pending.addEventListener('click', onPendingClick);
  document.addEventListener('outbox:changed', show);
  document.addEventListener('region:loaded', show);

  // A page that was kept has the id of a message that was sent from it; what the server gave back keeps its own.
  if (!field.value) form.elements.clientId.value = safego.uuid();
  field.value ||= kept();
  grow();
  void show();
  return () => {
    pending.removeEventListener('click', onPendingClick);
    document.removeEventListener('outbox:changed', show);
    document.removeEventListener('region:loaded', show);
  };
});
