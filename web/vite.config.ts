/** Builds the front end into web/dist; in development forwards /api to a running server. */

import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig({
  plugins: [react()],
  build: {
    target: 'es2022',
    // The content security policy allows files of this origin only, so no data: URLs.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    emptyOutDir: true,
  },
  server: {
    port: 5173,
    proxy: { '/api': process.env.ASSAY_URL ?? 'http://127.0.0.1:8473' },
  },
});
