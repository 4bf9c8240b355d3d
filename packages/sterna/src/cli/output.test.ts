import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Output } from './output.ts'

function collect(isTTY: boolean, columns = 80) {
  const stream = {
    text: '',
    isTTY,
    columns,
    write(text: string) {
      stream.text += text
    },
  }
  return stream
}

function withEnvironment(changes: Readonly<Record<string, string | undefined>>, run: () => void): void {
  const before = Object.keys(changes).map(name => [name, process.env[name]] as const)
  const set = ([name, value]: readonly [string, string | undefined]) => {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
  try {
    Object.entries(changes).forEach(set)
    run()
  } finally {
    before.forEach(set)
  }
}

test('on a terminal, progress and steps are one line that is redrawn and gone before the result', () => {
  const [stdout, stderr] = [collect(true), collect(true, 20)]
  const output = new Output({}, stdout, stderr)
  output.progress('epoch 1 of 3, and more than fits')
  output.step('epoch 1 done')
  output.result({}, 'result')
  assert.equal(stderr.text, '\r\x1b[2Kepoch 1 of 3, and m\r\x1b[2Kepoch 1 done\r\x1b[2K')
  assert.equal(stdout.text, 'result\n')
})

test('a terminal that does not know its width is taken for 80 columns wide', () => {
  const stderr = collect(true, 0)
  new Output({}, collect(true), stderr).progress('epoch 1 of 3')
  assert.equal(stderr.text, '\r\x1b[2Kepoch 1 of 3')
})

test('elsewhere, a step is a line without control characters and progress is silent', () => {
  const stderr = collect(false)
  const output = new Output({}, collect(false), stderr)
  output.note('engine')
  output.progress('step 3')
  output.step('epoch 1 done')
  output.failure({ code: 'x', message: 'broken', hint: 'mend it' })
  assert.equal(stderr.text, 'engine\nepoch 1 done\nerror: broken\nhint: mend it\n')
})

test('--quiet leaves results, warnings and errors', () => {
  const [stdout, stderr] = [collect(false), collect(true)]
  withEnvironment({ NO_COLOR: '1' }, () => {
    const output = new Output({ quiet: true }, stdout, stderr)
    output.note('note')
    output.progress('progress')
    output.step('step')
    output.warn('careful')
    output.result({}, 'result')
    output.failure({ code: 'x', message: 'broken' })
  })
  assert.equal(stderr.text, 'warning: careful\nerror: broken\n')
  assert.equal(stdout.text, 'result\n')
})

test('--json puts one object on stdout, for results and for failures', () => {
  const [done, failed] = [collect(false), collect(false)]
  new Output({ json: true }, done, collect(false)).result({ bytes: 3 }, 'text')
  new Output({ json: true }, failed, collect(false)).failure({ code: 'x', message: 'broken' })
  assert.deepEqual(JSON.parse(done.text), { bytes: 3 })
  assert.deepEqual(JSON.parse(failed.text), { error: { code: 'x', message: 'broken' } })
})

test('there are colours on a terminal only, and none with NO_COLOR', () => {
  const paint = (isTTY: boolean, variables: Readonly<Record<string, string | undefined>>) => {
    const stderr = collect(isTTY)
    withEnvironment({ TERM: 'xterm', NO_COLOR: undefined, ...variables }, () =>
      new Output({}, collect(isTTY), stderr).failure({ code: 'x', message: 'broken' }),
    )
    return stderr.text
  }
  assert.equal(paint(true, {}), '\x1b[31merror:\x1b[39m broken\n')
  assert.equal(paint(true, { NO_COLOR: '1' }), 'error: broken\n')
  assert.equal(paint(true, { TERM: 'dumb' }), 'error: broken\n')
  assert.equal(paint(false, {}), 'error: broken\n')
})
