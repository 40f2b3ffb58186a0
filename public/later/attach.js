/*
 * Sends files for a message, loaded by js/42-attach.js with the first of them. Each goes at once, by itself, with its progress; the
 * answer is its piece of the form, with the field that the message takes along. Sending waits for those that are under way.
 */
(() => {
  const begun = new WeakMap();

  document.addEventListener('attach:files', ({ detail: { form, files } }) => {
    if (!begun.has(form)) begun.set(form, begin(form));
    begun.get(form)(files);
  });

  function begin(form) {
    const tray = form.querySelector('#attached');
    const field = form.querySelector('textarea');
    const { action, maxMb, maxFiles, wordLarge, wordMany, wordLost } =
      form.querySelector('.attach-button input').dataset;
    let isAsked = false;

    function take(files) {
      document.getElementById('composer-notice').replaceChildren();
      for (const file of files) {
        if (tray.children.length >= Number(maxFiles)) return say(wordMany);
        if (file.size > Number(maxMb) * 1024 * 1024) say(wordLarge);
        else send(file);
      }
      field.focus();
    }

    function say(words) {
      const line = document.createElement('div');
      line.className = 'notice danger';
      line.setAttribute('role', 'alert');
      line.append(words);
      document.getElementById('composer-notice').replaceChildren(line);
    }

    function send(file) {
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
        // what was asked for does not go without it
        isAsked = false;
        gone(item);
      };
      request.onload = () => {
        const answer = new DOMParser().parseFromString(request.responseText, 'text/html').body.firstElementChild;
        if (request.status === 200 && answer) item.replaceWith(answer);
        else {
          isAsked = false;
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

    /** Before the composer hears of it. */
    function onSubmit(event) {
      if (!isSending()) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      isAsked = true;
    }
    function onTrayClick({ target }) {
      const item = target.closest('[data-drop]')?.closest('li');
      if (item && item.dataset.state !== 'sending') gone(item);
    }
    /** The bubble on its way says what goes with it. */
    function onPrepare({ detail }) {
      const names = [...tray.querySelectorAll('bdi')].map((name) => name.textContent);
      const body = form.isConnected && detail.list?.id === 'pending' && detail.item.querySelector('.body');
      if (body && names.length && !body.textContent) body.textContent = names.join('\n');
    }
    function onSent() {
      tray.replaceChildren();
      changed();
    }

    form.addEventListener('submit', onSubmit, true);
    tray.addEventListener('click', onTrayClick);
    document.addEventListener('item:prepare', onPrepare);
    document.addEventListener('composer:sent', onSent);
    return take;
  }
})();
