/** The seam to jax-js: the only module that imports it. */

export * from '@jax-js/jax';
