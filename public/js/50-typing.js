/*
 * "Rahim Uddin is typing", or a file of theirs is being checked: heard for some seconds at most; told at most once a
 * second, and taken back when the field is empty.
 */
safego.behaviour('typing', (line) => {
  /** Twice the time in which its sender asks again. */
  const FILE_MS = 8000;
  const list = document.getElementById('messages');
  const field = document.querySelector('#composer textarea');
  const ownSide = list?.dataset.audience === 'user' ? 'user' : 'admin';
  let toldAt = 0;
  // a page that is opened meanwhile says it from the beginning
  let showsFile = line.textContent !== '';
  let expiry = showsFile && setTimeout(clear, FILE_MS);

  function tell(isTyping) {
    toldAt = isTyping ? Date.now() : 0;
    safego.tell('live:send', { frame: { type: 'typing', conversationId: list.dataset.conversation, isTyping } });
  }
  function onInput() {
    if (!field.value) tell(false);
    else if (Date.now() - toldAt > 1000) tell(true);
  }
  function clear() {
    clearTimeout(expiry);
    line.textContent = '';
    showsFile = false;
  }
  function onHeard({ detail }) {
    if (detail.side === ownSide && ownSide === 'user') return;
    const isFile = detail.on.startsWith('check');
    // a file stays in the line while its sender writes
    if (showsFile && !isFile) return;
    if (detail.on !== 'true' && detail.on !== 'checking') return clear();
    clearTimeout(expiry);
    showsFile = isFile;
    const words = safego.fill(line.dataset[isFile ? 'checking' : 'words'], { name: detail.name });
    // the same is not read out again
    if (line.textContent !== words) line.textContent = words;
    expiry = setTimeout(clear, isFile ? FILE_MS : 5000);
  }
  function onSent() {
    toldAt = 0;
  }
  function onChanged({ detail }) {
    if (detail.added.some((item) => item.dataset.side && item.dataset.side !== ownSide)) clear();
  }

  field?.addEventListener('input', onInput);
  document.addEventListener('typing:heard', onHeard);
  document.addEventListener('composer:sent', onSent);
  document.addEventListener('messages:changed', onChanged);
  return () => {
    clear();
    field?.removeEventListener('input', onInput);
    document.removeEventListener('typing:heard', onHeard);
    document.removeEventListener('composer:sent', onSent);
    document.removeEventListener('messages:changed', onChanged);
  };
});
