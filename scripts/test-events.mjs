/** A node:test reporter for scripts/test.mjs: one JSON line for every test that ended. */
import { inspect } from 'node:util'

export default async function* events(source) {
  for await (const { type, data } of source) {
    if (type !== 'test:pass' && type !== 'test:fail') continue
    const { name, nesting, skip, details } = data
    const error = details.error?.cause ?? details.error
    yield `${JSON.stringify({
      name,
      nesting,
      passed: type === 'test:pass',
      skip: skip === undefined || skip === false ? undefined : skip === true ? 'no reason given' : skip,
      isSuite: details.type === 'suite',
      error:
        error === undefined ? undefined : typeof error === 'string' ? error : inspect(error, { depth: 4 }),
    })}\n`
  }
}
