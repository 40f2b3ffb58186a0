/*
 * A page of the chat in the frame that embed.js makes: says where it is, and when its session has ended, so that the host's page
 * brings a new one. What was being written stays in this browser meanwhile.
 */
(() => {
  const origins = document.body.dataset.frame.split(' ');
  let host = null;
  let isOut = false;

  function say(message) {
    if (host) parent.postMessage({ safego: 1, ...message }, host);
  }
  function out() {
    isOut = true;
    say({ type: 'out' });
  }

  addEventListener('message', ({ source, origin, data }) => {
    if (source !== parent || parent === window || !origins.includes(origin)) return;
    if (data?.safego !== 1 || data.type !== 'hello') return;
    host = origin;
    say({ type: 'here', at: 'chat', place: location.pathname });
    if (isOut || document.body.dataset.out !== undefined) out();
  });
  document.addEventListener('live:signed-out', out);
  document.addEventListener('outbox:signed-out', out);
})();
