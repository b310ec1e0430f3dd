/** Switches between light and dark; the choice is kept on this machine. */

import { useEffect, useState } from 'react';
import { Icon } from './icon.tsx';

type Theme = 'light' | 'dark';

const storageKey = 'assay-theme';
const prefersDark = '(prefers-color-scheme: dark)';

function currentTheme(): Theme {
  const chosen = document.documentElement.dataset.theme;
  if (chosen === 'light' || chosen === 'dark') return chosen;
  return matchMedia(prefersDark).matches ? 'dark' : 'light';
}

export function ThemeToggle() {
  const [theme, setTheme] = useState(currentTheme);

  useEffect(() => {
    const media = matchMedia(prefersDark);
    const follow = () => setTheme(currentTheme());
    media.addEventListener('change', follow);
    return () => media.removeEventListener('change', follow);
  }, []);

  const other: Theme = theme === 'dark' ? 'light' : 'dark';
  const choose = () => {
    document.documentElement.dataset.theme = other;
    try {
      localStorage.setItem(storageKey, other);
    } catch {
      // Storage may be blocked: then the choice lasts until the page is left.
    }
    setTheme(other);
  };
  return (
    <button type="button" className="icon-button" onClick={choose}>
      <Icon name={theme === 'dark' ? 'sun' : 'moon'} />
      <span className="visually-hidden">Switch to {other} colours</span>
    </button>
  );
}
