/*
 * Files for a message: chosen, pasted, dropped or photographed. Each is sent at once, by itself, with its progress; the answer is
 * its piece of the form, with the field that the message takes along. Sending waits for those that are under way.
 */
safego.behaviour('attach', (form) => {
  const input = form.querySelector('.attach-button input');
  if (!input) return;
  const tray = form.querySelector('#attached');
  const field = form.querySelector('textarea');
  const place = form.closest('.thread') ?? form;
  const { action, maxMb, maxFiles, wordLarge, wordMany, wordLost } = input.dataset;
  let isAsked = false;

  input.parentElement.hidden = false;

  function take(files) {
    document.getElementById('composer-notice').replaceChildren();
    for (const file of files) {
      if (tray.children.length >= Number(maxFiles)) return say(wordMany);
      if (file.size > Number(maxMb) * 1024 * 1024) say(wordLarge);
      else void send(file);
    }
  }

  function say(words) {
    const line = document.createElement('div');
    line.className = 'notice danger';
    line.setAttribute('role', 'alert');
    line.append(words);
    document.getElementById('composer-notice').replaceChildren(line);
  }

  async function send(file) {
    const item = document.getElementById('attaching-template').content.firstElementChild.cloneNode(true);
    item.querySelector('bdi').textContent = file.name;
    tray.append(item);
    changed();
    const request = new XMLHttpRequest();
    request.open('POST', action);
    request.setRequestHeader('HX-Request', 'true');
    request.upload.onprogress = ({ loaded, total }) => {
      item.querySelector('progress').value = loaded / total;
    };
    request.onabort = () => gone(item);
    request.onerror = () => {
      say(wordLost);
      gone(item);
    };
    request.onload = () => {
      const answer = new DOMParser().parseFromString(request.responseText, 'text/html').body.firstElementChild;
      if (request.status === 200 && answer) item.replaceWith(answer);
      else {
        document.getElementById('composer-notice').replaceChildren(...(answer ? [answer] : []));
        item.remove();
      }
      changed();
    };
    item.querySelector('[data-drop]').addEventListener('click', () => request.abort());
    const body = new FormData();
    body.set('clientId', safego.uuid());
    body.set('file', file, file.name);
    request.send(body);
  }

  function gone(item) {
    item.remove();
    changed();
  }

  const isSending = () => tray.querySelector('[data-state="sending"]') !== null;

  /** A message may be a file alone; one that is asked for goes when its files are there. */
  function changed() {
    field.required = tray.children.length === 0;
    if (!isAsked || isSending()) return;
    isAsked = false;
    form.requestSubmit();
  }

  function onSubmit(event) {
    if (!isSending()) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    isAsked = true;
  }
  function onChange() {
    take(input.files);
    input.value = '';
    field.focus();
  }
  function onDrop(event) {
    if (!event.dataTransfer?.files.length) return;
    event.preventDefault();
    take(event.dataTransfer.files);
  }
  function onDragOver(event) {
    if (event.dataTransfer?.types.includes('Files')) event.preventDefault();
  }
  function onPaste(event) {
    if (!event.clipboardData?.files.length) return;
    event.preventDefault();
    take(event.clipboardData.files);
  }
  function onTrayClick({ target }) {
    const item = target.closest('[data-drop]')?.closest('li');
    if (item && item.dataset.state !== 'sending') gone(item);
  }
  /** The bubble on its way says what goes with it. */
  function onPrepare({ detail }) {
    const names = [...tray.querySelectorAll('bdi')].map((name) => name.textContent);
    const body = detail.list?.id === 'pending' && detail.item.querySelector('.body');
    if (body && names.length && !body.textContent) body.textContent = names.join('\n');
  }
  function onSent() {
    tray.replaceChildren();
    changed();
  }

  form.addEventListener('submit', onSubmit);
  input.addEventListener('change', onChange);
  field.addEventListener('paste', onPaste);
  tray.addEventListener('click', onTrayClick);
  place.addEventListener('drop', onDrop);
  place.addEventListener('dragover', onDragOver);
  document.addEventListener('item:prepare', onPrepare);
  document.addEventListener('composer:sent', onSent);
  return () => {
    place.removeEventListener('drop', onDrop);
    place.removeEventListener('dragover', onDragOver);
    document.removeEventListener('item:prepare', onPrepare);
    document.removeEventListener('composer:sent', onSent);
  };
});
