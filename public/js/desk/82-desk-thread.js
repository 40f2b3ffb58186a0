/*
 * The open conversation. Opening another one swaps the thread and the details; this moves the live connection to its room, marks
 * its row, gives the composer the focus, and keeps what is being written when only the state around it changed.
 */
(() => {
  const narrow = matchMedia('(width < 720px)');

  safego.behaviour('desk-thread', (thread) => {
    safego.tell('live:rooms', { rooms: thread.dataset.rooms });
    safego.tell('desk:chosen');
    if (
      !narrow.matches &&
      document.activeElement?.closest('#thread, #list, body > :not(main)') !== null &&
      thread.dataset.swapped
    ) {
      (thread.querySelector('#body') ?? thread).focus({ preventScroll: true });
    }
  });

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
    if (!next || !now || next.dataset.mode === now.dataset.mode) return;
    now.replaceWith(next);
    htmx.process(next);
  }

  document.addEventListener('desk:chosen', choose);
  document.addEventListener('desk:answer', onAnswer);
})();
