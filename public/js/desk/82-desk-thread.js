/*
 * The open conversation. Opening another one swaps the thread and the details; this moves the live connection to its room, marks
 * its row, gives the composer the focus, and keeps what is being written when only the state around it changed.
 */
(() => {
  const narrow = matchMedia('(width < 720px)');

  safego.behaviour('desk-thread', (thread) => {
    const live = document.getElementById('live');
    if (live) live.dataset.poll = thread.dataset.poll;
    safego.tell('live:rooms', { rooms: thread.dataset.rooms });
    safego.tell('desk:chosen');
  });

  /** Opening gives the focus to writing, on a phone to the conversation. */
  function focusOpened() {
    const thread = document.getElementById('thread');
    const field = narrow.matches ? null : thread?.querySelector('#body');
    (field ?? thread)?.focus({ preventScroll: true });
  }

  let hadFocus = false;
  /** The row before "more", which has the focus; null where there is none, undefined where the focus is elsewhere. */
  let rowBefore;
  document.addEventListener('htmx:before:swap', () => {
    hadFocus = document.activeElement !== document.body;
    const more = document.activeElement?.closest('#more');
    rowBefore = more ? more.previousElementSibling : undefined;
  });
  document.addEventListener('htmx:after:swap', ({ detail: { ctx } }) => {
    const opened = ctx.sourceElement?.matches?.('.item-link') && ctx.response?.status === 200;
    if (opened) focusOpened();
    // A pressed button that is gone now: the focus stays in its neighbourhood, and keys go on being keys.
    else if (hadFocus && document.activeElement === document.body)
      (nextInList() ?? document.getElementById('thread'))?.focus({ preventScroll: true });
  });

  /** The details come anew with every change of state: who is being chosen and what is being written for them stay. */
  let handing = null;
  document.addEventListener('htmx:before:swap', ({ detail: { ctx } }) => {
    const form = document.querySelector('.assign-to');
    const note = form?.elements.note;
    handing = null;
    if (!note?.value || form.contains(ctx?.sourceElement)) return;
    handing = { of: form.action, adminId: form.elements.adminId.value, note: note.value, at: note.selectionStart };
    handing.isFocused = document.activeElement === note;
  });
  document.addEventListener('htmx:after:swap', () => {
    const form = document.querySelector('.assign-to');
    const note = form?.elements.note;
    if (!handing || !note || note.value || form.action !== handing.of) return;
    form.elements.adminId.value = handing.adminId;
    note.value = handing.note;
    if (!handing.isFocused) return;
    note.focus({ preventScroll: true });
    note.setSelectionRange(handing.at, handing.at);
  });

  /** After "more": the first of what came. */
  function nextInList() {
    if (rowBefore === undefined) return null;
    const next = rowBefore ? rowBefore.nextElementSibling : document.querySelector('#conversations > li');
    return next?.querySelector('a');
  }

  /** The first answer assigns the conversation. The live connection says so; where there is none the head is asked for. */
  document.addEventListener('outbox:sent', () => {
    setTimeout(() => {
      const head = document.getElementById('conversation-state');
      if (head && !head.hasAttribute('data-mine')) safego.reload(head);
    }, 800);
  });

  /** Answering a colleague's conversation asks first; the sentence beside the box asks better than the browser's own bubble. */
  function ask(box) {
    box.closest('.take-over').dataset.asked = '';
    box.focus();
  }
  document.addEventListener(
    'invalid',
    (event) => {
      if (!event.target.matches('.take-over input')) return;
      event.preventDefault();
      ask(event.target);
    },
    true,
  );
  document.addEventListener(
    'submit',
    (event) => {
      const box = event.target.querySelector('.take-over input');
      if (!box || box.checked) return;
      ask(box);
      event.preventDefault();
      event.stopImmediatePropagation();
    },
    true,
  );

  /** The row of what is open carries aria-current; no fragment knows who looks at it. */
  function choose() {
    const open = document.getElementById('thread')?.dataset.conversation;
    for (const link of document.querySelectorAll('.item-link[aria-current]')) {
      if (link.id === `o-${open}`) continue;
      link.removeAttribute('aria-current');
      const item = link.closest('.item');
      if (item.hasAttribute('data-gone')) item.remove();
    }
    document.getElementById(`o-${open}`)?.setAttribute('aria-current', 'true');
  }

  /** State changed: the place to answer is exchanged only if it is another one now, so a half written answer stays. */
  function onAnswer({ detail: { content } }) {
    const next = content.querySelector('#answer');
    const now = document.getElementById('answer');
    if (!next || !now) return;
    if (next.dataset.mode === now.dataset.mode) {
      // the field stays; what it says of itself may be another thing by now
      const field = now.querySelector('#body');
      if (field) field.placeholder = next.querySelector('#body')?.placeholder ?? '';
      return;
    }
    // an edit under way ends by itself; what it may not do any more the server says
    if (now.dataset.mode.startsWith('edit')) return;
    now.replaceWith(next);
    htmx.process(next);
  }

  document.addEventListener('desk:chosen', choose);
  document.addEventListener('desk:answer', onAnswer);
})();
