/*
 * Files for a message: chosen, photographed, pasted or dropped. What does the sending is loaded with the first file, so that whoever
 * only writes does not wait for it.
 */
safego.behaviour('attach', (form) => {
  const input = form.querySelector('.attach-button input');
  const place = form.closest('.thread');
  input.parentElement.hidden = false;

  function take(event) {
    const { files } = event.clipboardData ?? event.dataTransfer ?? input;
    if (!files.length) return;
    event.preventDefault();
    const given = () => safego.tell('attach:files', { form, files: taken });
    const taken = [...files];
    input.value = '';
    if (document.getElementById('attach-script')) return given();
    const script = document.createElement('script');
    script.id = 'attach-script';
    script.src = input.dataset.script;
    script.onload = given;
    document.head.append(script);
  }
  function onDragOver(event) {
    if (event.dataTransfer.types.includes('Files')) event.preventDefault();
  }

  input.addEventListener('change', take);
  form.addEventListener('paste', take);
  place.addEventListener('drop', take);
  place.addEventListener('dragover', onDragOver);
  return () => {
    place.removeEventListener('drop', take);
    place.removeEventListener('dragover', onDragOver);
  };
});
