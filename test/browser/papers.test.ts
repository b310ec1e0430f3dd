/** Reading papers: feed, search, paper pages, running a claim. */

import type { Browser } from 'playwright-core';
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

it('shows the papers by date and more of them on request', async () => {
  const { page } = watched;
  await page.goto('/');
  const titles = page.locator('.paper-title');
  await expect.poll(() => titles.count()).toBe(25);
  const dates = await page
    .locator('.paper time')
    .evaluateAll((elements) =>
      elements.map((element) => element.getAttribute('datetime') ?? ''),
    );
  expect(dates).toEqual([...dates].sort().reverse());
  const more = page.getByRole('button', { name: 'Show more papers' });
  await more.click();
  await expect.poll(() => titles.count()).toBe(50);
  await more.click();
  await expect.poll(() => titles.count()).toBe(73);
  await expect.poll(() => more.count()).toBe(0);
});

it('finds papers by title and by author, and keeps the search in the address', async () => {
  const { page } = watched;
  await page.goto('/');
  await page.locator('.paper-title').first().waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('activation-aware');
  const first = page.locator('.paper-title').first();
  await expect.poll(() => first.textContent()).toContain('AWQ');
  expect(new URL(page.url()).searchParams.get('q')).toBe('activation-aware');
  await page.getByRole('searchbox').fill('Krishnamoorthi');
  await expect.poll(() => first.textContent()).toContain('whitepaper');
  await page.reload();
  await expect.poll(() => first.textContent()).toContain('whitepaper');
  expect(await page.getByRole('searchbox').inputValue()).toBe('Krishnamoorthi');
});

it('says so when nothing matches, and shows all again', async () => {
  const { page } = watched;
  await page.goto('/?q=xylophonist');
  await page.getByText('Nothing matches “xylophonist”').waitFor();
  await page.getByRole('button', { name: 'Show all papers' }).click();
  await page.locator('.paper-title').first().waitFor();
  expect(await page.getByRole('searchbox').inputValue()).toBe('');
});

it('filters by room and by what runs', async () => {
  const { page } = watched;
  await page.goto('/');
  await page.locator('.paper-title').first().waitFor();
  await page.getByRole('combobox', { name: 'Room' }).selectOption('quantize');
  await expect.poll(() => page.locator('.paper').count()).toBe(12);
  await page.getByRole('checkbox', { name: 'Runs here' }).check();
  await expect.poll(() => page.locator('.paper').count()).toBe(2);
});

it('runs the claim of a paper and shows its verdict as it ends', async () => {
  const { page } = watched;
  await page.goto('/?q=awq');
  await page.getByRole('link', { name: /^AWQ:/ }).first().click();
  await page.getByRole('heading', { level: 1, name: /^AWQ:/ }).waitFor();
  await page.getByText('Not measured yet. The experiment takes').waitFor();
  await page.getByRole('button', { name: 'Run the claim' }).click();
  const bar = page.getByRole('progressbar').first();
  await bar.waitFor();
  await expect
    .poll(async () => Number(await bar.getAttribute('aria-valuenow')))
    .toBeGreaterThan(0);
  await page.getByText('Finished: the claim holds.').waitFor({ timeout: 30_000 });
  await page.locator('.outcome-verdict').getByText('Holds', { exact: true }).waitFor();
  const row = page.getByRole('row', { name: /^nearest/ });
  expect(await row.textContent()).toBe('nearest0.0260 ± 0.0010');
  expect(await page.locator('.gate-holds').count()).toBe(2);
  await page.getByRole('link', { name: 'Papers' }).click();
  await page.goto('/?q=awq');
  await page.locator('.paper').getByText('Holds', { exact: true }).first().waitFor();
});

it('says plainly that a claim does not hold', async () => {
  const { page } = watched;
  await page.goto('/papers/integer-quantization');
  await page.getByRole('button', { name: 'Run the claim' }).click();
  await page.getByText('Finished: the claim does not hold.').waitFor({ timeout: 30_000 });
  expect(await page.locator('.gate-fails').textContent()).toContain('It is below 0.03');
  await page.getByText('Does not hold').first().waitFor();
});

it('cancels a claim', async () => {
  const { page } = watched;
  await page.goto('/papers/awq');
  await page.getByRole('button', { name: 'Run it again' }).click();
  await page.getByRole('button', { name: 'Cancel' }).first().click();
  await page.getByText('The run was cancelled.').waitFor();
  await page.getByRole('button', { name: 'Run it again' }).waitFor();
});

it('offers nothing to run for a paper that is only described', async () => {
  const { page } = watched;
  await page.goto('/papers/dsl');
  await page.getByText('Described, not built yet').waitFor();
  expect(await page.getByRole('button', { name: /run/i }).count()).toBe(0);
});

it('copies the command line', async () => {
  const { page } = watched;
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.goto('/papers/awq');
  await page.getByRole('button', { name: 'Copy In a terminal' }).click();
  await page.getByText('Copied').waitFor();
  expect(await page.evaluate('navigator.clipboard.readText()')).toBe(
    'assay reproduce awq\nassay round ./source --method nearest --digits 1 -o ./source-nearest',
  );
});

it('writes the reference of a method from its schema', async () => {
  const { page } = watched;
  await page.goto('/methods/nearest');
  await page.getByRole('heading', { name: 'To the nearest' }).waitFor();
  const options = await page.locator('.option').allTextContents();
  expect(options).toEqual([
    'digits--digitsDigits after the point.a whole number from 0 to 8, default 1',
    'half--halfWhere a half goes.one of even, away, default "even"',
    'checked--checkedLook at the result once more.on or off, default true',
  ]);
});

it('says what is missing for a wrong address', async () => {
  const { page, complaints } = watched;
  await page.goto('/papers/no-such-paper');
  await page.getByText('There is no paper “no-such-paper”.').waitFor();
  // The browser itself reports the 404 that this page is about.
  expect(complaints.splice(0)).toEqual([expect.stringContaining('404')]);
  await page.goto('/no/such/page');
  await page.getByText('There is no page at this address.').waitFor();
});

it('remembers the choice between light and dark', async () => {
  const { page } = watched;
  await page.goto('/');
  const ground = () => page.evaluate('getComputedStyle(document.body).backgroundColor');
  const light = await ground();
  await page.getByRole('button', { name: 'Switch to dark colours' }).click();
  const dark = await ground();
  expect(dark).not.toBe(light);
  await page.reload();
  await page.getByRole('button', { name: 'Switch to light colours' }).waitFor();
  expect(await ground()).toBe(dark);
});

it('says that Assay does not answer, and goes on when it does', async () => {
  const { page, complaints } = watched;
  await page.goto('/rooms');
  await page.getByRole('link', { name: 'Quantize' }).waitFor();
  await page.route('**/api/**', (route) => route.abort());
  await page.goto('/papers/awq');
  await page.getByText('No connection to Assay').waitFor({ timeout: 20_000 });
  await page.unroute('**/api/**');
  complaints.splice(0);
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByRole('heading', { level: 1, name: /^AWQ:/ }).waitFor();
});
