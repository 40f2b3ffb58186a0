/*
 * The number of unread messages, also in front of the page's title, where a hidden tab shows it.
 */
safego.behaviour('badge', (badge) => {
  function show() {
    const count = Number(badge.dataset.count);
    const title = document.title.replace(/^\(\S+\) /, '');
    document.title = count ? `(${safego.number(count)}) ${title}` : title;
  }
  const watch = new MutationObserver(show);
  watch.observe(badge, { attributeFilter: ['data-count'] });
  show();
  return () => watch.disconnect();
});
