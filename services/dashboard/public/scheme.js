// Before the first paint, so that no page flashes white: what the person has chosen, else what the system prefers.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem('perpstream.scheme');
  } catch {
    // A browser that keeps nothing: the system's choice.
  }
  const dark = chosen === 'dark' || (chosen !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  document.documentElement.setAttribute('data-mantine-color-scheme', dark ? 'dark' : 'light');
})();
