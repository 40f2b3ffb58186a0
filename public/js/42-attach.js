/*
 * Files for a message: chosen, photographed, pasted or dropped. What does the sending is loaded with the first file, so that whoever
 * only writes does not wait for it; and at once where files were on their way when the page was left.
 */
safego.behaviour('attach', (form) => {
  const inputs = form.querySelectorAll('.attach-button input');
  const [input] = inputs;
  const place = form.closest('.thread') ?? form;
  form.querySelector('textarea').required = !form.querySelector('.attached > li');
  for (const one of inputs)
    one.parentElement.hidden = one.hasAttribute('capture') && !matchMedia('(pointer: coarse)').matches;

  function take(event) {
    const { files } = event.clipboardData ?? event.dataTransfer ?? event.target;
    if (!files?.length) return;
    event.preventDefault();
    const taken = [...files];
    event.target.value &&= event.target.type === 'file' ? '' : event.target.value;
    load(taken);
  }
  function load(files) {
    const given = () => safego.tell('attach:files', { form, files });
    if (document.getElementById('attach-script')?.dataset.loaded) return given();
    const script = document.getElementById('attach-script') ?? document.createElement('script');
    script.addEventListener('load', given);
    if (script.id) return;
    script.id = 'attach-script';
    script.src = input.dataset.script;
    script.addEventListener('load', () => {
      script.dataset.loaded = 'yes';
    });
    document.head.append(script);
  }
  function onDragOver(event) {
    if (event.dataTransfer.types.includes('Files')) event.preventDefault();
  }

  for (const one of inputs) one.addEventListener('change', take);
  form.addEventListener('paste', take);
  place.addEventListener('drop', take);
  place.addEventListener('dragover', onDragOver);
  try {
    if (form.querySelector('.attached > li') || localStorage.getItem('uploads')) load([]);
  } catch {
    // nothing can be kept here, so nothing waits
  }
  return () => {
    place.removeEventListener('drop', take);
    place.removeEventListener('dragover', onDragOver);
  };
});
