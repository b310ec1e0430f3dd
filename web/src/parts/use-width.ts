/** The width of an element, so that drawings are made for the room they have. */

import { type RefObject, useLayoutEffect, useState } from 'react';

/** Width in pixels of the element of `ref`, followed as it changes; `initial` before that. */
export function useWidth(ref: RefObject<HTMLElement | null>, initial: number): number {
  const [width, setWidth] = useState(initial);
  useLayoutEffect(() => {
    const element = ref.current;
    if (!element) return;
    const measure = () => setWidth(Math.max(240, Math.round(element.clientWidth)));
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, [ref]);
  return width;
}
