/** Finds modules that are started rather than imported, in the sources and in the built package. */

/** URL of a module beside another, given without extension: `.ts` here, `.js` when built. */
export function moduleUrl(specifier: string, base: string): URL {
  const extension = base.endsWith('.ts') ? '.ts' : '.js';
  return new URL(`${specifier}${extension}`, base);
}
