/** The main job in the browser: a language model quantized by rivals, from form to files. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { registry } from '../../src/registry.ts';
import { launchBrowser, openPage, startTestServer } from './harness.ts';

const shared =
  process.env.ASSAY_SHARED ?? fileURLToPath(new URL('../../../shared', import.meta.url));
const stories = join(shared, 'data', 'checkpoints', 'stories260k');
const ships = existsSync(new URL('../../models/nano/config.json', import.meta.url));
const model = ships ? 'nano' : stories;
const runs = registry.tasks.some((task) => task.name === 'quantize');

it.skipIf(!runs || (!ships && !existsSync(stories)))(
  'quantizes a language model by rivals and offers the winner (needs the quantize room and models/nano or stories260k)',
  { timeout: 240_000 },
  async () => {
    const [server, browser] = await Promise.all([startTestServer({}), launchBrowser()]);
    const { page, complaints } = await openPage(browser, server.url);
    try {
      await page.goto('/compare?task=quantize');
      await page.getByRole('textbox', { name: 'Model', exact: true }).fill(model);
      await page.getByLabel('Evaluation tokens').fill('512');
      await page.getByLabel('Methods and options of my choice').check();
      const remove = page.getByRole('button', { name: /^Remove integer-quantization/ });
      if (await remove.isVisible()) await remove.click();
      await page.getByRole('button', { name: 'Run the comparison' }).click();
      await page.waitForURL(/\/compare\/[0-9a-f]{64}$/, { timeout: 180_000 });
      await expect
        .poll(() => page.locator('.method-name').allTextContents())
        .toEqual(['untouched', 'round-to-nearest', 'awq']);
      expect(await page.locator('.row-error').count()).toBe(0);
      await page.locator('.advice-given, .advice').first().waitFor();
      await page.getByRole('img', { name: /^awq: size/ }).waitFor();
      await page.getByRole('button', { name: 'Use round-to-nearest' }).click();
      await page.getByRole('button', { name: 'Make the artifact' }).click();
      await page.getByText('Ready to download').waitFor({ timeout: 120_000 });
      await page.getByRole('link', { name: /\.safetensors/ }).waitFor();
      expect(complaints).toEqual([]);
    } finally {
      await browser.close();
      await server.close();
    }
  },
);
