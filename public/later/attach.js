/*
 * Sends files for a message, loaded by js/42-attach.js with the first of them. Each goes at once, by itself, in pieces and with its
 * progress; after a dropped line or a reload it goes on where the server says it is. The answer to the last piece is the file's
 * place in the form, with the field that the message takes along. Sending waits for those that are under way or being checked.
 *
 * Large photos are made smaller before they leave. What is on its way lies in this browser's database (`uploads`: { clientId, owner,
 * conversation, file, name, at }) until it is sent or taken away, at most a day; where there is none, as long as the page.
 */
(() => {
  const PIECE_BYTES = 512 * 1024;
  const SILENCE_MS = 45_000;
  const LONGEST_WAIT_MS = 30_000;
  const DAY_MS = 86_400_000;
  /** Photos: longest side, and from which size on it is worth the work. */
  const LONGEST_SIDE = 2560;
  const LARGE_BYTES = 1_000_000;
  const begun = new WeakMap();

  document.addEventListener('attach:files', ({ detail: { form, files } }) => {
    if (!begun.has(form)) begun.set(form, begin(form));
    begun.get(form)(files);
  });

  function begin(form) {
    const tray = form.querySelector('#attached');
    const field = form.querySelector('textarea');
    const { conversation, maxMb, maxFiles, wordLarge, wordMany } = form.querySelector('.attach-button input').dataset;
    const { owner } = form.dataset;
    const kept = openKept(owner, conversation);
    let isAsked = false;

    async function take(files) {
      if (files.length) notice().replaceChildren();
      for (const file of files) {
        if (tray.children.length >= Number(maxFiles)) return say(wordMany);
        const item = show(file.name);
        const small = await smaller(file);
        if (!item.isConnected) continue;
        if (small.size > Number(maxMb) * 1024 * 1024) {
          gone(item);
          say(wordLarge);
          continue;
        }
        const entry = { clientId: safego.uuid(), owner, conversation, file: small, name: file.name, at: Date.now() };
        void kept.put(entry);
        void send(item, entry, 0);
      }
      if (files.length) field.focus();
    }

    async function goOn() {
      for (const entry of await kept.all()) void send(show(entry.name), entry, null);
    }

    const notice = () => document.getElementById('composer-notice');

    function say(words) {
      const line = document.createElement('div');
      line.className = 'notice danger';
      line.setAttribute('role', 'alert');
      line.append(words);
      notice().replaceChildren(line);
    }

    function show(name) {
      const item = document.getElementById('attaching-template').content.firstElementChild.cloneNode(true);
      item.querySelector('bdi').textContent = name;
      tray.append(item);
      changed();
      return item;
    }

    /** From `from` on; null: from where the server says. Ends when it is there, taken away or refused. */
    async function send(item, entry, from) {
      const { clientId, file, name } = entry;
      const query = new URLSearchParams(conversation ? { conversation } : {});
      const progress = item.querySelector('progress');
      item.dataset.clientId = clientId;
      let offset = from;
      let waitMs = 0;
      let faults = 0;
      while (item.isConnected) {
        item.querySelector('[data-waits]').hidden = waitMs === 0;
        if (waitMs) await pause(waitMs);
        if (!item.isConnected) return;
        let answer;
        if (offset === null) answer = await ask('GET', `/uploads/${clientId}?${query}`, item);
        else {
          const whole = new URLSearchParams({
            ...Object.fromEntries(query),
            name: name.slice(-300) || 'file',
            size: file.size,
          });
          const piece = file.slice(offset, offset + PIECE_BYTES);
          answer = await ask('PATCH', `/uploads/${clientId}?${whole}`, item, piece, offset, (loaded) => {
            progress.value = (offset + loaded) / file.size;
          });
        }
        if (!item.isConnected) return;
        const { status } = answer;
        if (status === 200) return arrived(item, answer);
        if (status === 204) {
          offset = Number(answer.getResponseHeader('Upload-Offset'));
          progress.value = offset / file.size;
          waitMs = 0;
          faults = 0;
          continue;
        }
        const code = partOf(answer)?.dataset?.code;
        if (code === 'upload_offset') offset = null;
        else if (
          status === 0 ||
          status === 408 ||
          status === 429 ||
          status === 503 ||
          (status >= 500 && status !== 507 && ++faults < 5)
        ) {
          offset = null;
          waitMs = Math.min(waitMs * 2 || 1_000, LONGEST_WAIT_MS);
        } else return refused(item, entry, answer);
      }
    }

    function arrived(item, answer) {
      const place = partOf(answer);
      if (!place) {
        void kept.remove(item.dataset.clientId);
        return gone(item);
      }
      place.dataset.clientId = item.dataset.clientId;
      item.replaceWith(place);
      htmx.process(place);
      changed();
    }

    function refused(item, { clientId }, answer) {
      // what was asked for does not go without it
      isAsked = false;
      const said = partOf(answer);
      notice().replaceChildren(...(said ? [said] : []));
      void kept.remove(clientId);
      gone(item);
    }

    function gone(item) {
      item.remove();
      changed();
    }

    const isWaiting = () => tray.querySelector('[data-state="sending"], [data-state="processing"]') !== null;

    /** A message may be a file alone; one that is asked for goes when its files are there. */
    function changed() {
      field.required = tray.querySelector('[name=attachmentIds], [data-state="sending"]') === null;
      if (tray.querySelector('[data-state="refused"]')) isAsked = false;
      if (!isAsked || isWaiting()) return;
      isAsked = false;
      form.requestSubmit();
    }

    /** Before the composer hears of it. */
    function onSubmit(event) {
      if (!isWaiting()) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      isAsked = true;
    }
    function onTrayClick({ target }) {
      const item = target.closest('[data-drop]')?.closest('li');
      if (!item) return;
      const { clientId, state } = item.dataset;
      if (clientId) void kept.remove(clientId);
      gone(item);
      if (clientId && state === 'sending') void ask('DELETE', `/uploads/${clientId}`);
      field.focus();
    }
    /** The bubble on its way says what goes with it. */
    function onPrepare({ detail }) {
      const names = [...tray.querySelectorAll('bdi')].map((name) => name.textContent);
      const body = form.isConnected && detail.list?.id === 'pending' && detail.item.querySelector('.body');
      if (body && names.length && !body.textContent) body.textContent = names.join('\n');
    }
    function onSent() {
      if (!form.isConnected) return;
      for (const item of tray.children) if (item.dataset.clientId) void kept.remove(item.dataset.clientId);
      tray.replaceChildren();
      changed();
    }

    form.addEventListener('submit', onSubmit, true);
    tray.addEventListener('click', onTrayClick);
    // one that was being checked has told what became of it
    new MutationObserver(changed).observe(tray, { childList: true });
    document.addEventListener('item:prepare', onPrepare);
    document.addEventListener('composer:sent', onSent);
    htmx.process(tray);
    void goOn();
    return take;
  }

  /** Resolves with the request when it is over, however it ended; taking `item` away ends it. */
  function ask(method, url, item, body, offset, onProgress) {
    return new Promise((resolve) => {
      const request = new XMLHttpRequest();
      let silence;
      const heard = () => {
        clearTimeout(silence);
        silence = setTimeout(() => request.abort(), SILENCE_MS);
      };
      request.open(method, url);
      request.setRequestHeader('HX-Request', 'true');
      if (body) {
        request.setRequestHeader('Content-Type', 'application/offset+octet-stream');
        request.setRequestHeader('Upload-Offset', offset);
        request.upload.onprogress = ({ loaded }) => {
          heard();
          onProgress(loaded);
        };
      }
      const drop = () => request.abort();
      const watch = item && new MutationObserver(() => item.isConnected || drop());
      watch?.observe(item.parentElement, { childList: true });
      request.onloadend = () => {
        clearTimeout(silence);
        watch?.disconnect();
        resolve(request);
      };
      heard();
      request.send(body);
    });
  }

  function partOf({ responseText }) {
    return new DOMParser().parseFromString(responseText, 'text/html').body.firstElementChild;
  }

  /** So long, or until the line is back. */
  function pause(ms) {
    return new Promise((done) => {
      const timer = setTimeout(over, ms);
      function over() {
        clearTimeout(timer);
        removeEventListener('online', over);
        done();
      }
      addEventListener('online', over);
    });
  }

  /** A photo as large as it is looked at; whatever cannot be drawn, or would not become smaller, stays as it is. */
  async function smaller(file) {
    if (!/^image\/(jpeg|png|webp)$/.test(file.type) || file.size < LARGE_BYTES) return file;
    try {
      const picture = await createImageBitmap(file, { imageOrientation: 'from-image' });
      const scale = Math.min(1, LONGEST_SIDE / Math.max(picture.width, picture.height));
      const canvas = document.createElement('canvas');
      canvas.width = Math.round(picture.width * scale);
      canvas.height = Math.round(picture.height * scale);
      canvas.getContext('2d').drawImage(picture, 0, 0, canvas.width, canvas.height);
      picture.close();
      const made = await new Promise((done) => canvas.toBlob(done, file.type, 0.85));
      return made?.type === file.type && made.size < file.size ? made : file;
    } catch {
      return file;
    }
  }

  /** What this person has on its way in this conversation. */
  function openKept(owner, conversation) {
    const database = new Promise((resolve) => {
      try {
        const request = indexedDB.open('uploads', 1);
        request.onupgradeneeded = () => request.result.createObjectStore('files', { keyPath: 'clientId' });
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => resolve(null);
      } catch {
        resolve(null);
      }
    });

    async function inStore(ask) {
      const opened = await database;
      return new Promise((resolve) => {
        try {
          const transaction = opened.transaction('files', 'readwrite');
          const request = ask(transaction.objectStore('files'));
          transaction.oncomplete = () => resolve(request.result);
          transaction.onabort = () => resolve(null);
        } catch {
          resolve(null);
        }
      });
    }

    /** So that a page without any need not look into the database. */
    async function tell() {
      const count = (await inStore((store) => store.count())) ?? 0;
      try {
        if (count) localStorage.setItem('uploads', count);
        else localStorage.removeItem('uploads');
      } catch {
        // then they live as long as the page
      }
    }

    async function remove(clientId) {
      await inStore((store) => store.delete(clientId));
      await tell();
    }

    return {
      remove,
      async put(entry) {
        await inStore((store) => store.put(entry));
        await tell();
      },
      async all() {
        const entries = (await inStore((store) => store.getAll())) ?? [];
        for (const { clientId, at } of entries) if (Date.now() - at > DAY_MS) await remove(clientId);
        return entries.filter(
          (one) => one.owner === owner && one.conversation === conversation && Date.now() - one.at <= DAY_MS,
        );
      },
    };
  }
})();
