/*
 * Errors of htmx requests come into #notice and go with the next thing that works, or after a while.
 */
safego.behaviour('notice', (place) => {
  let timer;
  const watch = new MutationObserver(() => {
    clearTimeout(timer);
    if (place.childElementCount) timer = setTimeout(() => place.replaceChildren(), 12_000);
  });
  watch.observe(place, { childList: true });
  const clear = ({ detail: { ctx } }) => ctx.response?.status < 400 && place.replaceChildren();
  document.addEventListener('htmx:after:swap', clear);
  return () => {
    clearTimeout(timer);
    watch.disconnect();
    document.removeEventListener('htmx:after:swap', clear);
  };
});
