/** The few line drawings of the interface; all are decoration beside a text. */

const paths = {
  check: 'M3 8.5 6.5 12 13 4.5',
  cross: 'm4 4 8 8m0-8-8 8',
  dash: 'M4 8h8',
  search: 'M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10Zm3.6-1.4L14 14',
  sun: 'M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM8 1v1.5m0 11V15M1 8h1.5m11 0H15M3 3l1.1 1.1m7.8 7.8L13 13m0-10-1.1 1.1M4.1 11.9 3 13',
  moon: 'M13.5 9.6A6 6 0 0 1 6.4 2.5a6 6 0 1 0 7.1 7.1Z',
  copy: 'M6 6h7v7H6zM10 6V3H3v7h3',
  arrow: 'M3 8h10m-4-4 4 4-4 4',
  warning: 'M8 2 1.5 13.5h13L8 2Zm0 4.5v3.5m0 1.6v.1',
  download: 'M8 2v8m-3.5-3.5L8 10l3.5-3.5M2.5 13.5h11',
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  );
}

export function Mark() {
  return (
    <svg className="mark" viewBox="0 0 32 32" aria-hidden="true">
      <path className="mark-ground" d="M16 1.5 30.5 16 16 30.5 1.5 16Z" />
      <path className="mark-letter" d="M10 21.5 16 9l6 12.5M12.4 17.5h7.2" />
    </svg>
  );
}
