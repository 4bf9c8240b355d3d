import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { createProgram } from './program.ts'

const golden = fileURLToPath(new URL('../../test/fixtures/cli/help.txt', import.meta.url))

function pages(command: Command, name = command.name()): readonly (readonly [string, string])[] {
  let text = ''
  command.configureOutput({
    writeOut: part => {
      text += part
    },
  })
  command.outputHelp()
  return [[name, text], ...command.commands.flatMap(child => pages(child, `${name} ${child.name()}`))]
}

test('the help pages are the stored ones (STERNA_UPDATE=1 stores them anew)', () => {
  const text = pages(createProgram())
    .map(([name, page]) => `=== ${name}\n${page.trimEnd()}\n`)
    .join('\n')
  if (process.env.STERNA_UPDATE || !existsSync(golden)) writeFileSync(golden, text)
  assert.equal(text, readFileSync(golden, 'utf8'))
})

test('every command has an example, --json and --quiet', () => {
  const leaves = pages(createProgram()).filter(
    ([name]) => !['sterna', 'sterna data', 'sterna bench'].includes(name),
  )
  assert.ok(leaves.length >= 10)
  for (const [name, page] of leaves) {
    assert.match(page, new RegExp(`Examples:\n  ${name}`), name)
    assert.match(page, /--json/, name)
    assert.match(page, /--quiet/, name)
  }
})

test('every option and flag that an example uses exists', () => {
  for (const [name, page] of pages(createProgram())) {
    const examples = page.slice(page.indexOf('Examples:')).split('\n\n')[0]!
    for (const [flag] of examples.matchAll(/ --[a-z-]+/g)) {
      const options = page.slice(0, page.indexOf('Examples:'))
      assert.ok(name === 'sterna' || options.includes(flag.trim()), `${name}: ${flag}`)
    }
  }
})
