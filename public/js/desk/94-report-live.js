/*
 * The live report: shown anew when the event stream says that something on the desk changed, once in two seconds at most, and each
 * twenty seconds besides, so that waiting times move. Nobody looks at a hidden tab.
 */
safego.behaviour('report-live', (region) => {
  const leastMs = 2_000;
  const mostMs = 20_000;
  let shownAt = Date.now();
  let timer = setTimeout(refresh, mostMs);

  function soon() {
    clearTimeout(timer);
    timer = setTimeout(refresh, Math.max(0, shownAt + leastMs - Date.now()));
  }

  function refresh() {
    clearTimeout(timer);
    timer = setTimeout(refresh, mostMs);
    if (document.hidden) return;
    shownAt = Date.now();
    htmx
      .ajax('GET', region.dataset.href, {
        source: region,
        target: region,
        select: `#${region.id} > *`,
        swap: 'innerHTML',
      })
      .catch(() => {});
  }

  document.addEventListener('desk:changed', soon);
  document.addEventListener('visibilitychange', soon);
  return () => {
    clearTimeout(timer);
    document.removeEventListener('desk:changed', soon);
    document.removeEventListener('visibilitychange', soon);
  };
});
