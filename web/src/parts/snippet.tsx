/** A piece of code to take away, with a button that copies it. */

import { useEffect, useState } from 'react';
import { Icon } from './icon.tsx';

interface Props {
  readonly title: string;
  readonly code: string;
}

export function Snippet({ title, code }: Props) {
  const [state, setState] = useState<'idle' | 'copied' | 'blocked'>('idle');

  useEffect(() => {
    if (state === 'idle') return;
    const timer = setTimeout(() => setState('idle'), 2500);
    return () => clearTimeout(timer);
  }, [state]);

  const copy = () => {
    // The clipboard exists only on secure origins; loopback is one, a LAN address is not.
    const written =
      navigator.clipboard?.writeText(code) ?? Promise.reject(new Error('no clipboard'));
    written.then(
      () => setState('copied'),
      () => setState('blocked'),
    );
  };
  return (
    <figure className="snippet">
      <figcaption>
        <span>{title}</span>
        <button type="button" className="quiet-button" onClick={copy}>
          <Icon name={state === 'copied' ? 'check' : 'copy'} />
          {state === 'copied' ? 'Copied' : 'Copy'}
          <span className="visually-hidden"> {title}</span>
        </button>
      </figcaption>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keyboard */}
      <pre tabIndex={0}>
        <code>{code}</code>
      </pre>
      <p className="snippet-note" aria-live="polite">
        {state === 'blocked' ? 'Copying is blocked here: select the text instead.' : ''}
      </p>
    </figure>
  );
}
