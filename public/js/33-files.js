/*
 * A file that was deleted while one looks at its message, on a page that nobody tells: a picture that does not load and a
 * link that is followed ask once whether the file is still there; if not, its place says so.
 */
safego.behaviour('files', (list) => {
  function ask(link) {
    // the door that signs sends on to what is there; where it sends to does not matter
    fetch(link.href, { method: 'HEAD', redirect: 'manual' })
      .then(({ status }) => status === 404 && link.isConnected && sayGone(link))
      .catch(() => {});
  }
  function sayGone(link) {
    const gone = document.createElement('span');
    gone.className = 'file file-gone';
    const icon = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    icon.setAttribute('class', 'icon');
    icon.setAttribute('aria-hidden', 'true');
    icon.append(document.createElementNS('http://www.w3.org/2000/svg', 'use'));
    icon.firstChild.setAttribute('href', '#i-cross');
    const name = document.createElement('span');
    name.className = 'file-name';
    name.textContent = link.querySelector('img')?.alt ?? link.querySelector('.file-name').textContent;
    const word = document.createElement('span');
    word.className = 'file-size';
    word.textContent = list.dataset.wordGone;
    gone.append(icon, name, ' ', word);
    link.replaceWith(gone);
  }
  const linkOf = (target) => target.closest?.('.files > a');

  function onBroken({ target }) {
    if (target.localName === 'img' && linkOf(target)) ask(linkOf(target));
  }
  function onClick({ target }) {
    const link = linkOf(target);
    if (!link) return;
    // without a script the page may leave for the one that says it; with one it stays, whatever comes
    if (link.matches('.file')) link.download = '';
    ask(link);
  }
  // `error` does not bubble
  list.addEventListener('error', onBroken, true);
  list.addEventListener('click', onClick);
  for (const image of list.querySelectorAll('.files img'))
    if (image.complete && !image.naturalWidth) onBroken({ target: image });
});
