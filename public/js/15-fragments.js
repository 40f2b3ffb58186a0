/*
 * The small marks that the server sends beside fragments: where a room's log stands, who reads, who writes, what to load again.
 * Each becomes an event; the behaviours below listen.
 */
htmx.registerExtension('fragments', {
  htmx_process_cursor: (mark) =>
    safego.tell('live:cursor', { room: mark.getAttribute('room'), at: mark.getAttribute('at') }),
  htmx_process_subscribed: (mark) =>
    safego.tell('live:subscribed', {
      room: mark.getAttribute('room'),
      at: mark.getAttribute('at'),
      isReset: mark.getAttribute('status') === 'reset',
    }),
  htmx_process_seen: (mark) =>
    safego.tell('messages:seen', { target: mark.getAttribute('hx-target'), seq: Number(mark.getAttribute('seq')) }),
  htmx_process_typing: (mark) =>
    safego.tell('typing:heard', {
      name: mark.getAttribute('name'),
      side: mark.getAttribute('side'),
      on: mark.getAttribute('on'),
    }),
  // A page without the badge shows the counts itself: then that region loads again.
  htmx_process_reload: (mark) =>
    safego.reload(
      document.querySelector(mark.getAttribute('hx-target')) ?? document.querySelector('[data-room^="user_"]'),
    ),
});
