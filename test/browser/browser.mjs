/** Headless Chromium for tests: the one that is installed, never a download. */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { chromium } from 'playwright-core'

const usualPlaces = {
  linux: [
    '/usr/bin/chromium',
    '/usr/bin/chromium-browser',
    '/usr/bin/google-chrome',
    '/usr/bin/google-chrome-stable',
  ],
  darwin: [
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  ],
  win32: ['PROGRAMFILES', 'PROGRAMFILES(X86)', 'LOCALAPPDATA'].map(variable =>
    path.join(process.env[variable] ?? '', 'Google/Chrome/Application/chrome.exe'),
  ),
}

const executable = [process.env.CHROMIUM, ...(usualPlaces[process.platform] ?? [])].find(
  place => place !== undefined && existsSync(place),
)

/** For `test(name, { skip: noChromium }, …)`: why there is no browser test, or false. */
export const noChromium =
  executable === undefined &&
  'no Chromium found (Debian: apt-get install chromium; elsewhere: set CHROMIUM to its path)'

/** It talks to nobody but the test's server, and needs no GPU; root has no sandbox to give up. */
const quietFlags = [
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-quic',
  '--disable-sync',
  '--no-first-run',
  ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
]

/**
 * Starts Chromium; `close` ends it and its pages. `open` goes to an address and waits for the page's load event.
 * @param flags command-line flags of Chromium beside the usual ones
 */
export async function launchBrowser({ flags = [] } = {}) {
  const browser = await chromium.launch({ executablePath: executable, args: [...quietFlags, ...flags] })
  return { version: browser.version(), open: url => openPage(browser, url), close: () => browser.close() }
}

/**
 * A page in a profile of its own. What goes wrong in it is collected in `errors`: uncaught errors, messages to
 * `console.error` (a worker's too), requests that fail or are answered with 400 or more.
 */
async function openPage(browser, url) {
  const context = await browser.newContext()
  const page = await context.newPage()
  const errors = []
  page.on('pageerror', error => errors.push(error.stack ?? String(error)))
  page.on('console', message => {
    if (message.type() === 'error') errors.push(message.text())
  })
  page.on('requestfailed', request => errors.push(`${request.url()}: ${request.failure()?.errorText}`))
  page.on('response', response => {
    if (response.status() >= 400) errors.push(`${response.url()}: status ${response.status()}`)
  })
  await page.goto(url)
  return { page, errors, close: () => context.close() }
}
