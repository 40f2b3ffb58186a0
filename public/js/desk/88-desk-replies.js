/*
 * Saved replies: a slash at the beginning of a word opens them, filtered by what follows; the one that is taken stands in its place.
 */
safego.behaviour('saved-replies', (place) => {
  const field = place.closest('#answer').querySelector('#body');
  return safego.popup(field, {
    place: 'replies',
    href: () => place.dataset.find,
    find(text) {
      const [, query] = /(?:^|\s)\/([^/\n]{0,40})$/.exec(text) ?? [];
      return query === undefined ? null : { from: text.length - query.length - 1, query };
    },
    take: (option, { from }) => safego.putText(field, from, option.dataset.text),
  });
});
