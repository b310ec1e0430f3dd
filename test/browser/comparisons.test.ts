/** Comparing rivals from the form to the downloaded files, and watching jobs. */

import { readFile } from 'node:fs/promises';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import {
  launchBrowser,
  openPage,
  startTestServer,
  type TestServer,
  type WatchedPage,
} from './harness.ts';

let server: TestServer;
let browser: Browser;
let watched: WatchedPage;

beforeAll(async () => {
  [server, browser] = await Promise.all([startTestServer(), launchBrowser()]);
});

afterAll(async () => {
  await browser?.close();
  await server?.close();
});

beforeEach(async () => {
  watched = await openPage(browser, server.url);
});

afterEach(async () => {
  expect(watched.complaints).toEqual([]);
  await watched.close();
});

const run = 'Run the comparison';

/** Chooses methods by hand, without those that take long. */
async function chooseQuickRivals(page: Page): Promise<void> {
  await page.getByLabel('Methods and options of my choice').check();
  await page.getByRole('button', { name: 'Remove patient, rival 3' }).click();
}

async function downloadedText(page: Page, link: string): Promise<string> {
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: link }).click(),
  ]);
  return readFile(await download.path(), 'utf8');
}

it('invites to a first comparison while there is none', async () => {
  const { page } = watched;
  await page.goto('/');
  await page.getByText('Nothing is compared yet.').waitFor();
  await page.getByRole('link', { name: 'Compare rivals' }).click();
  await page.getByRole('heading', { level: 1, name: 'Compare' }).waitFor();
});

it('says what is wrong with the form and goes to the first wrong field', async () => {
  const { page } = watched;
  await page.goto('/compare');
  await page.getByLabel('Count').fill('1');
  await chooseQuickRivals(page);
  await page.getByLabel('Digits').first().fill('two');
  await page.getByLabel('Max error').fill('-1');
  await page.getByRole('button', { name: run }).click();
  await page.getByText('3 fields need another look.').waitFor();
  await page.getByText('Needs a whole number from 2 to 1000.').waitFor();
  await page.getByText('Needs a whole number from 0 to 8.').waitFor();
  await page.getByText('Needs a number of at least 0.').waitFor();
  expect(await page.evaluate('document.activeElement.name')).toBe('count');
  const described = await page.getByLabel('Count').getAttribute('aria-describedby');
  expect(described?.split(' ')).toHaveLength(2);
});

it('compares rivals, recommends one, and makes its files', async () => {
  const { page } = watched;
  await page.goto('/compare');
  await chooseQuickRivals(page);
  await page
    .getByRole('button', { name: 'Repeat with other options nearest, rival 2' })
    .click();
  await page.getByLabel('Digits').nth(2).fill('3');
  await page.getByRole('button', { name: run }).click();
  await page.waitForURL(/\/compare\/[0-9a-f-]{36}$/);
  await page.getByRole('progressbar').waitFor();
  await page.waitForURL(/\/compare\/[0-9a-f]{64}$/, { timeout: 30_000 });
  await page.locator('.advice').getByText('nearest').waitFor();
  expect(await page.locator('.advice').textContent()).toContain('The least error.');
  const rows = () => page.getByRole('rowheader').allInnerTexts();
  expect(await rows()).toEqual([
    'untouched',
    'cut digits 1',
    'nearest digits 1',
    'nearest digits 3 Recommended',
  ]);

  const error = page.getByRole('columnheader', { name: 'Error' });
  await error.getByRole('button').click();
  expect(await error.getAttribute('aria-sort')).toBe('ascending');
  expect(await rows()).toEqual([
    'untouched',
    'nearest digits 3 Recommended',
    'nearest digits 1',
    'cut digits 1',
  ]);

  const point = page.getByRole('img', { name: /^nearest digits 3: digits 3/ });
  await point.focus();
  await page.locator('.plot-note').getByText('nearest digits 3').waitFor();

  const address = page.url();
  const stored = JSON.parse(await downloadedText(page, 'JSON'));
  expect(address.endsWith(stored.id)).toBe(true);
  expect(stored.result.rows).toHaveLength(4);
  expect(await downloadedText(page, 'Plot (SVG)')).toContain('<svg');

  await page.getByRole('button', { name: 'Use nearest digits 3' }).click();
  await page.getByRole('checkbox', { name: 'json' }).check();
  await page.getByRole('button', { name: 'Make the artifact' }).click();
  await page.getByText('Ready to download').waitFor({ timeout: 30_000 });
  const numbers = JSON.parse(await downloadedText(page, 'numbers.json'));
  expect(numbers).toHaveLength(50);
  expect(numbers[1]).toBe(0.841);

  await page.reload();
  await page.getByRole('button', { name: 'Use nearest digits 3' }).click();
  await page.getByRole('link', { name: 'numbers.json' }).waitFor();
  expect(page.url()).toBe(address);
});

it('starts another comparison from the settings of a stored one', async () => {
  const { page } = watched;
  await page.goto('/');
  await page.getByRole('heading', { name: 'Latest comparison' }).waitFor();
  await page.getByRole('link', { name: 'Plot, details and files' }).click();
  await page.getByRole('link', { name: 'Compare with other settings' }).click();
  await page.getByLabel('Methods and options of my choice').waitFor();
  const digits = page.getByLabel('Digits');
  await expect.poll(() => digits.count()).toBe(3);
  expect(await digits.nth(2).inputValue()).toBe('3');
});

it('shows the failure of a comparison whose input cannot be opened', async () => {
  const { page } = watched;
  await page.goto('/compare');
  await page.getByLabel('Source').fill('cosine');
  await page.getByRole('button', { name: run }).click();
  await page.getByText('source: expected "sine", got cosine').waitFor();
  await page.goto('/jobs');
  await page.locator('.job-state-failed').first().waitFor();
  await page.getByText('source: expected "sine", got cosine').waitFor();
});

it('watches a long job, lists it and cancels it', async () => {
  const { page } = watched;
  await page.goto('/compare');
  await page.getByLabel('Methods and options of my choice').check();
  await page.getByRole('button', { name: run }).click();
  await page.waitForURL(/\/compare\/[0-9a-f-]{36}$/);
  await page.locator('.table tbody').getByText('nearest').waitFor({ timeout: 30_000 });
  await page.goto('/');
  await page.getByText('Another comparison is running').waitFor();
  await page.getByRole('link', { name: 'Jobs 1 active' }).click();
  await page.getByRole('heading', { name: 'At work' }).waitFor();
  await page.getByRole('button', { name: /^Cancel/ }).click();
  await page.locator('.job-state-cancelled').waitFor();
  await expect.poll(() => page.getByRole('progressbar').count()).toBe(0);
});

it('shows the first comparison live on the home page', async () => {
  const fresh = await startTestServer();
  const other = await openPage(browser, fresh.url);
  try {
    await fresh.server.lab.submit({
      kind: 'comparison',
      request: {
        task: 'round',
        inputs: {},
        candidates: ['cut', 'nearest', 'cut', 'nearest'].map((method, digits) => ({
          method,
          options: { digits },
        })),
      },
    });
    await other.page.goto('/');
    await other.page.getByRole('heading', { name: 'First comparison' }).waitFor();
    await other.page
      .getByRole('heading', { name: 'Latest comparison' })
      .waitFor({ timeout: 30_000 });
    expect(await other.page.locator('.home-aside tbody tr').count()).toBe(5);
    expect(other.complaints).toEqual([]);
  } finally {
    await other.close();
    await fresh.close();
  }
});
