/** Every page in light and dark against axe-core, on a phone, and while it loads. */

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser, openPage, startTestServer, type TestServer } from './harness.ts';

let server: TestServer;
let browser: Browser;
let axe: string;
let comparison: string;

beforeAll(async () => {
  const path = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
  [server, browser, axe] = await Promise.all([
    startTestServer(),
    launchBrowser(),
    readFile(path, 'utf8'),
  ]);
  const { lab } = server.server;
  const jobs = await lab.jobs();
  const finish = async (work: Parameters<typeof lab.submit>[0]): Promise<string> => {
    const { id } = await lab.submit(work);
    return new Promise((resolve, reject) => {
      jobs.watch(id, ({ state, result, error }) => {
        if (result) resolve(result);
        else if (state === 'failed') reject(new Error(error?.message));
      });
    });
  };
  comparison = await finish({
    kind: 'comparison',
    request: { task: 'round', inputs: {} },
  });
  await finish({ kind: 'claim', request: { paper: 'awq' } });
});

afterAll(async () => {
  await browser?.close();
  await server?.close();
});

interface Finding {
  readonly id: string;
  readonly impact: string | null;
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
}

async function seriousFindings(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  const result = (await page.evaluate('axe.run()')) as { violations: Finding[] };
  return result.violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html}`));
}

/** Pages by name: an address and a text that shows the page is complete. */
const pages: readonly [name: string, path: () => string, complete: string][] = [
  ['home', () => '/', 'Plot, details and files'],
  ['search', () => '/?q=quantization', 'papers'],
  ['a search without a match', () => '/?q=xylophonist', 'Nothing matches'],
  ['a measured paper', () => '/papers/awq', 'It is below 0.03'],
  ['a paper not measured', () => '/papers/integer-quantization', 'Not measured yet'],
  ['a described paper', () => '/papers/dsl', 'not built yet'],
  ['compare', () => '/compare', 'Your input'],
  ['a comparison', () => `/compare/${comparison}`, 'beaten'],
  ['rooms', () => '/rooms', 'Quantize'],
  ['a room', () => '/rooms/quantize', 'Compare them'],
  ['methods', () => '/methods', 'To the nearest'],
  ['a method', () => '/methods/nearest', '--half'],
  ['jobs', () => '/jobs', 'Ended'],
  ['no page', () => '/nowhere', 'Nothing here'],
];

describe.each(['light', 'dark'] as const)('in %s', (scheme) => {
  it.each(pages)('%s has no serious accessibility violation', async (_, path, text) => {
    const { page, complaints, close } = await openPage(browser, server.url, { scheme });
    await page.goto(path());
    await page.getByText(text).first().waitFor();
    if (path() === '/compare') await openEverything(page);
    if (path().startsWith('/compare/')) {
      await page.getByRole('button', { name: /^Use/ }).first().click();
      await page.getByText('How this was measured').click();
    }
    expect(await seriousFindings(page)).toEqual([]);
    expect(complaints).toEqual([]);
    await close();
  });
});

/** The longest state of the form: all options, with messages. */
async function openEverything(page: Page): Promise<void> {
  await page.getByLabel('Methods and options of my choice').check();
  await page.getByLabel('Digits').first().fill('-1');
  await page.getByRole('button', { name: 'Run the comparison' }).click();
  await page.getByText('One field needs another look.').waitFor();
}

it.each(pages)('%s fits a phone of 360 pixels', async (_, path, text) => {
  const view = { width: 360, height: 740 };
  const { page, close } = await openPage(browser, server.url, view);
  await page.goto(path());
  await page.getByText(text).first().waitFor();
  if (path() === '/compare') await openEverything(page);
  if (path().startsWith('/compare/')) {
    await page.getByRole('button', { name: /^Use/ }).first().click();
  }
  const [content, room] = (await page.evaluate(
    '[document.documentElement.scrollWidth, document.documentElement.clientWidth]',
  )) as [number, number];
  expect(content).toBeLessThanOrEqual(room);
  await close();
});

const measureShift = `
  window.layoutShift = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) window.layoutShift += entry.value;
  }).observe({ type: 'layout-shift', buffered: true });
`;

it.each([
  ['home', '/', 'Plot, details and files'],
  ['a paper', '/papers/awq', 'It is below 0.03'],
  ['rooms', '/rooms', 'Architect'],
])('%s does not jump while it loads slowly', async (_, path, text) => {
  const { page, close } = await openPage(browser, server.url);
  await page.addInitScript(measureShift);
  let delay = 150;
  await page.route('**/api/**', async (route) => {
    delay += 100;
    await new Promise((done) => setTimeout(done, delay));
    await route.continue();
  });
  await page.goto(path);
  await page.getByText(text).first().waitFor();
  await page.waitForTimeout(700);
  // Below 0.1 is what the Web Vitals call good.
  expect(await page.evaluate('window.layoutShift')).toBeLessThan(0.05);
  await close();
});

it('is used with the keyboard alone', async () => {
  const { page, close } = await openPage(browser, server.url);
  await page.goto('/');
  await page.locator('.paper-title').first().waitFor();
  await page.keyboard.press('Tab');
  expect(await page.evaluate('document.activeElement.textContent')).toBe(
    'Skip to content',
  );
  await page.keyboard.press('Enter');
  expect(await page.evaluate('document.activeElement.id')).toBe('main');
  await page.getByRole('link', { name: 'Rooms' }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'Rooms' }).waitFor();
  expect(await page.evaluate('document.activeElement.id')).toBe('main');
  await close();
});

it('moves nothing for readers who asked for less motion', async () => {
  const { page, close } = await openPage(browser, server.url);
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await page.route('**/api/papers?**', () => {});
  await page.goto('/');
  await page.locator('.skeleton').first().waitFor();
  const animation = "getComputedStyle(document.querySelector('.skeleton')).animationName";
  expect(await page.evaluate(animation)).toBe('none');
  await close();
});
