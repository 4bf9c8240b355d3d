import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { methods } from './methods.ts'
import { describeValues } from './options.ts'

const pages = new URL('../../../../docs/methods/', import.meta.url)

describe('the page of each method', () => {
  for (const { name, options } of methods.filter(method => method.name !== 'float')) {
    it(`lists every option of ${name} with its default, values and effect`, () => {
      const rows = readFileSync(new URL(`${name}.md`, pages), 'utf8')
        .split('\n')
        .filter(line => line.startsWith('| `'))
      const inTable = (text: string) => text.replaceAll('|', '\\|')
      const expected = options.map(option => {
        const unit = option.unit === undefined ? '' : ` × ${option.unit}`
        const values = inTable(describeValues(option) + unit)
        return `| \`${option.name}\` | ${option.default} | ${values} | ${inTable(option.effect)} |`
      })
      assert.deepEqual(rows, expected)
    })
  }
})
