/** A node:test reporter for scripts/test.mjs: one JSON line for every test that ended, and for what tests say of themselves. */
import { inspect } from 'node:util'

/** Node sums up every file in the same way. */
const summary = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/

export default async function* events(source) {
  for await (const { type, data } of source) {
    if (type === 'test:diagnostic' && !summary.test(data.message)) {
      yield `${JSON.stringify({ said: data.message })}\n`
    }
    if (type !== 'test:pass' && type !== 'test:fail') continue
    const { name, skip, details } = data
    yield `${JSON.stringify({
      name,
      passed: type === 'test:pass',
      skip: skip === undefined || skip === false ? undefined : skip === true ? 'no reason given' : skip,
      isSuite: details.type === 'suite',
      error: describe(details.error),
    })}\n`
  }
}

/** Why a test failed, without the test runner's own stack; nothing where only a test within it failed. */
function describe(error) {
  if (error === undefined || error.failureType === 'subtestsFailed') return undefined
  const cause = error.cause ?? error
  const text = typeof cause === 'string' ? cause : inspect(cause, { depth: 4 })
  return text.replaceAll(/\n +at [^\n]*node:internal[^\n]*/g, '')
}
