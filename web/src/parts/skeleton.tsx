/** Stand-ins of a fixed size while something loads, so that nothing jumps when it arrives. */

export function SkeletonLines({ lines }: { readonly lines: number }) {
  return (
    <div className="skeleton-lines" aria-hidden="true">
      {range(lines).map((line) => (
        <span key={line} className="skeleton" data-width={line % 3} />
      ))}
    </div>
  );
}

export function SkeletonFeed({ items }: { readonly items: number }) {
  return (
    <div className="skeleton-feed">
      <p className="visually-hidden">Loading papers</p>
      {range(items).map((item) => (
        <div key={item} className="skeleton-entry" aria-hidden="true">
          <span className="skeleton" data-width="0" />
          <span className="skeleton" data-width="2" />
          <span className="skeleton" data-width="1" />
        </div>
      ))}
    </div>
  );
}

export function SkeletonPage() {
  return (
    <div className="skeleton-page">
      <p className="visually-hidden">Loading</p>
      <span className="skeleton skeleton-title" aria-hidden="true" />
      <SkeletonLines lines={12} />
    </div>
  );
}

function range(length: number): number[] {
  return Array.from({ length }, (_, index) => index);
}
