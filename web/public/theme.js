/** Applies the stored choice of light or dark before the first paint. */
(() => {
  let theme = null;
  try {
    theme = localStorage.getItem('assay-theme');
  } catch {
    // Storage may be blocked: then the system's preference holds.
  }
  if (theme === 'light' || theme === 'dark') {
    document.documentElement.dataset.theme = theme;
  }
})();
