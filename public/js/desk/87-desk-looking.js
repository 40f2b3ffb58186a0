/*
 * Who else has this conversation open. The server names everybody; the reader is left out here, because one text goes to all.
 */
safego.behaviour('desk-looking', (list) => {
  const me = document.getElementById('mentions')?.dataset.room.slice('user_'.length);

  function onLooking({ detail }) {
    const others = detail.items.filter((item) => item.dataset.person !== me);
    list.replaceChildren(...others);
    list.hidden = others.length === 0;
  }
  function onLost() {
    list.replaceChildren();
    list.hidden = true;
  }
  document.addEventListener('desk:looking', onLooking);
  document.addEventListener('live:rooms', onLost);
  return () => {
    document.removeEventListener('desk:looking', onLooking);
    document.removeEventListener('live:rooms', onLost);
  };
});
